// SPDX-License-Identifier: Apache-2.0
#include "backward/scenario.hpp"
#include "support/catch.hpp"

TEMPLATE_TEST_CASE("a hundred runs give the same gradients, also with buffers moved",
                   "[repeated_gradients]", float, double, __half, __nv_bfloat16)
{
  for (dwconv::layout const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
    auto const c = real_gradients<TestType>({.batch       = 4,
                                             .channels    = 24,
                                             .input       = {37, 54},
                                             .filter      = {5, 5},
                                             .pad         = {2, 2, 2, 2},
                                             .data_layout = order},
                                            101);
    auto const dx      = run_data(c);
    auto const dfilter = run_filter(c);
    auto const dbias   = run_bias(c);
    REQUIRE(dx.fine());
    REQUIRE(dfilter.fine());
    REQUIRE(dbias.fine());
    int different = 0;
    for (std::size_t again = 0; again < 100; ++again) {
      // What lies in front of the buffers grows, so that they come to lie elsewhere.
      device_buffer<char> const ballast{1 + again * 70'001, poison{}};
      different += !same_bits(run_data(c, data_door{}, again % 9).gradient, dx.gradient);
      different += !same_bits(run_filter(c, filter_door{}, again % 9).gradient, dfilter.gradient);
      different += !same_bits(run_bias(c, bias_door{}, again % 9).gradient, dbias.gradient);
    }
    CHECK(different == 0);
  }
}
