// SPDX-License-Identifier: Apache-2.0
#include "forward/scenario.hpp"
#include "support/catch.hpp"

TEMPLATE_TEST_CASE("the same call gives the same bits, wherever its buffers lie", "[determinism]",
                   float, double, __half, __nv_bfloat16)
{
  dwconv::conv2d_problem const problem{.batch      = 2,
                                       .channels   = 5,
                                       .multiplier = 2,
                                       .input      = {13, 17},
                                       .filter     = {5, 5},
                                       .pad        = {2, 2, 2, 2}};
  auto const c     = real_case<TestType>(problem, 71);
  auto const first = output_of(c);
  REQUIRE(first.size() == y_size(problem));
  for (std::size_t again = 0; again < 8; ++again) {
    CHECK(same_bits(run_case(c, run_time_door{}, again).y, first));
  }
}
