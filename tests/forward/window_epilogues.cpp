// SPDX-License-Identifier: Apache-2.0
// Epilogues of the window family: told where they are, called once an output, safe in place.
#include "forward/epilogue_case.hpp"
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;

namespace {

/// Number of an output among those of its image, channel or all of y.
struct tells_where {
  int what;
  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    switch (what) {
      case 0: return static_cast<float>(at.offset);
      case 1: return static_cast<float>(at.batch * 1000 + at.channel);
      case 2: return static_cast<float>(at.row * 1000 + at.column);
      default: return sum;
    }
  }
};

struct counts_calls {
  int* calls;
  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    ++calls[at.offset];
    return sum;
  }
};

/// Whole planes, strips, windows of columns.
std::vector<conv2d_problem> problems()
{
  dwconv::compiled_shape const wide = window_shapes()[0], strided = window_shapes()[3];
  return {
    problem_with_output(wide, {5, 7}, {1, 1, 1, 1}, {.batch = 3, .channels = 11, .multiplier = 2}),
    problem_with_output(strided, {37, 115}, {1, 1, 1, 1}, {.batch = 2, .multiplier = 3}),
    problem_with_output(strided, {18, 645}, {1, 0, 2, 1}, {.batch = 2})};
}

}  // namespace

TEST_CASE("a stage of a tile is told where in y it is", "[window_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    REQUIRE(window_takes<float>(p));
    auto const c        = integer_case<float>(p);
    auto const offsets  = output_of(c, door_with{tells_where{0}});
    auto const channels = output_of(c, door_with{tells_where{1}});
    auto const places   = output_of(c, door_with{tells_where{2}});
    REQUIRE(offsets.size() == y_size(p));
    REQUIRE(channels.size() == y_size(p));
    REQUIRE(places.size() == y_size(p));
    int wrong = 0;
    for_each_output(p, [&](place const& at) {
      wrong += offsets[at.offset] != static_cast<float>(at.offset) ||
               channels[at.offset] != static_cast<float>(at.batch * 1000 + at.channel) ||
               places[at.offset] != static_cast<float>(at.row * 1000 + at.column);
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("a stage of a tile is called once an output", "[window_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    device_buffer<int> calls{std::vector<int>(y_size(p), 0)};
    CHECK(!output_of(integer_case<float>(p), door_with{counts_calls{calls.data()}}).empty());
    CHECK(calls.read() == std::vector<int>(y_size(p), 1));
    CHECK(calls.canaries_intact());
  }
}

TEST_CASE("a tile adds to a residual in its own place", "[window_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    auto const c      = integer_case<float>(p);
    auto const before = integers<float>(y_size(p), 37);
    auto const sums   = output_of(c, family_door{dwconv::kernel_family::direct});
    REQUIRE(sums.size() == y_size(p));
    device_buffer<float> x{c.x}, filter{c.filter}, y{before, 3};
    REQUIRE(dwconv::forward<float>(p, {x.data(), filter.data(), y.data()}, test_stream(),
                                   dwconv::epilogue::residual<float>{y.data()})
              .ok());
    REQUIRE(synchronize() == cudaSuccess);
    auto const after = y.read();
    int wrong        = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) { wrong += after[i] != sums[i] + before[i]; }
    CHECK(wrong == 0);
    CHECK(y.canaries_intact());
  }
}
