// SPDX-License-Identifier: Apache-2.0
#include "backward/scenario.hpp"
#include "captured.hpp"
#include "support/catch.hpp"

TEST_CASE("a step's gradients can be captured in one graph and replayed on new data",
          "[captured_gradients]")
{
  for (std::int64_t const stride : {1, 2}) {
    dwconv::conv2d_problem const p{.batch    = 2,
                                   .channels = 6,
                                   .input    = {21, 33},
                                   .filter   = {3, 3},
                                   .stride   = {stride, stride},
                                   .pad      = {1, 1, 1, 1}};
    auto const first = integer_gradients<float>(p, 1);
    device_buffer<float> x{first.x}, dy{first.dy}, filter{first.filter};
    device_buffer<float> dx{first.x.size(), poison{}}, dfilter{first.filter.size(), poison{}};
    device_buffer<float> dbias{std::size_t{6}, poison{}};
    exact_workspace<float> scratch{dwconv::make_backward_filter_plan<float>(p, 0)};
    exact_workspace<float> rest{dwconv::make_backward_bias_plan<float>(p, 0)};
    captured const graph{[&](cudaStream_t stream) {
      auto const one =
        dwconv::backward_data<float>(p, {dy.data(), filter.data(), dx.data()}, stream);
      auto const two = dwconv::backward_filter<float>(p, {x.data(), dy.data(), dfilter.data()},
                                                      scratch.get(), stream);
      auto const three =
        dwconv::backward_bias<float>(p, {dy.data(), dbias.data()}, rest.get(), stream);
      return !one.ok() ? one : !two.ok() ? two : three;
    }};
    REQUIRE(graph.outcome().ok());
    CHECK(graph.nodes() == 5);
    for (std::uint64_t seed = 2; seed < 5; ++seed) {
      auto const c = integer_gradients<float>(p, seed);
      x.write(c.x), dy.write(c.dy), filter.write(c.filter);
      dx.fill_with_nan(), dfilter.fill_with_nan(), dbias.fill_with_nan();
      graph.replay();
      using namespace dwconv_reference;
      CHECK(compare_gradient<float>("dx", p, backward_data(p, c.dy, c.filter), dx.read().data(),
                                    tolerance::none));
      CHECK(compare_gradient<float>("dfilter", p, backward_filter(p, c.x, c.dy),
                                    dfilter.read().data(), tolerance::none));
      CHECK(compare_gradient<float>("dbias", p, backward_bias(p, c.dy), dbias.read().data(),
                                    tolerance::none));
    }
  }
}
