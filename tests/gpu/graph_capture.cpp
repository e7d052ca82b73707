// SPDX-License-Identifier: Apache-2.0
#include "captured.hpp"
#include "forward/epilogue_case.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;

namespace {

constexpr conv2d_problem problem{
  .batch = 2, .channels = 6, .input = {21, 33}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

/// Captures once and replays with new data each time.
template <typename Door>
void check_replays(Door const& door, bool rectified = false)
{
  auto const first = integer_case<float>(problem, 1);
  device_buffer<float> x{first.x}, filter{first.filter}, y{y_size(problem), poison{}};
  dwconv::forward_tensors<float> const tensors{x.data(), filter.data(), y.data()};
  captured const graph{[&](cudaStream_t stream) { return door(problem, tensors, stream); }};
  REQUIRE(graph.outcome().ok());
  CHECK(graph.nodes() == 1);
  CHECK(aftermath<float>{{}, cudaSuccess, y.read(), true}.y_untouched());

  for (std::uint64_t seed = 2; seed < 6; ++seed) {
    auto const c = integer_case<float>(problem, seed);
    x.write(c.x);
    filter.write(c.filter);
    y.fill_with_nan();
    graph.replay();
    auto const sums  = dwconv_reference::forward(problem, c.x, c.filter);
    auto const found = y.read();
    int wrong        = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      double const expected = rectified ? std::fmax(sums[i].value, 0) : sums[i].value;
      wrong += static_cast<double>(found[i]) != expected;
    }
    CHECK(wrong == 0);
  }
}

}  // namespace

TEST_CASE("the run-time door can be captured and replayed on new data", "[graph_capture]")
{
  check_replays(run_time_door{});
}

TEST_CASE("the static door can be captured and replayed on new data", "[graph_capture]")
{
  check_replays([](auto const& p, auto const& tensors, cudaStream_t stream) {
    return dwconv::forward<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>>(p, tensors, stream);
  });
}

TEST_CASE("a planned run with an epilogue can be captured and replayed", "[graph_capture]")
{
  auto const plan = dwconv::make_forward_plan<float, epilogue_instances>(problem, 0);
  check_replays(
    [&](auto const&, auto const& tensors, cudaStream_t stream) {
      return dwconv::run<float, epilogue_instances>(plan, tensors, stream,
                                                    dwconv::epilogue::relu{});
    },
    true);
}

TEST_CASE("a refused call leaves the capture intact and empty", "[graph_capture]")
{
  captured const graph{[](cudaStream_t stream) {
    return dwconv::forward<float>(problem, {nullptr, nullptr, nullptr}, stream);
  }};
  CHECK(graph.outcome().code == dwconv::status_code::null_pointer);
  CHECK(graph.nodes() == 0);
}
