// SPDX-License-Identifier: Apache-2.0
// Emulated only: no order of blocks, warps and lanes changes a bit.
#include "forward/epilogue_case.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;

TEMPLATE_TEST_CASE("whatever runs first, the bits are the same", "[schedules]", float, __half)
{
  for (dwconv::layout const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
    conv2d_problem const problem{.batch       = 2,
                                 .channels    = 3,
                                 .input       = {15, 21},
                                 .filter      = {3, 5},
                                 .stride      = {1, 2},
                                 .pad         = {1, 1, 2, 2},
                                 .data_layout = order};
    auto const c        = real_case<TestType>(problem, 81);
    auto const expected = output_of(c);
    CHECK(compare(c, expected.data(), tolerance::bound));
    under_every_schedule([&] { CHECK(same_bits(output_of(c), expected)); });
  }
}

TEST_CASE("whatever runs first, a residual in place is added once", "[schedules]")
{
  conv2d_problem const problem{.batch = 1, .channels = 4, .input = {12, 12}, .filter = {3, 3}};
  auto const c      = integer_case<float>(problem, 82);
  auto const before = integers<float>(y_size(problem), 83);
  auto const sums   = dwconv_reference::forward(problem, c.x, c.filter);
  under_every_schedule([&] {
    device_buffer<float> x{c.x}, filter{c.filter}, y{before};
    dwconv::forward_tensors<float> const tensors{x.data(), filter.data(), y.data()};
    CHECK(
      door_with{dwconv::epilogue::residual<float>{y.data()}}(problem, tensors, test_stream()).ok());
    auto const after = y.read();
    int wrong        = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      wrong += static_cast<double>(after[i]) != sums[i].value + static_cast<double>(before[i]);
    }
    CHECK(wrong == 0);
  });
}
