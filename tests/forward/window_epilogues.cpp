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

/// Tiles in chunks, of several planes or of parts of rows; the last are cut short.
std::vector<forced_tile> tiles_in_chunks()
{
  return {{{5, 999, 999, 4}}, {{2, 13, 999, 4}}, {{1, 21, 50, 4}}, {{1, 9, 50, 8}}};
}

/// Problems that a tile of those has several chunks of.
/// The kernels of `problems_in_chunks`: every epilogue type compiles them anew.
using instances_in_chunks =
  dwconv::instance_list<dwconv::window_instance<dwconv::taps<3, 3>, dwconv::stride<1, 1>>,
                        dwconv::window_instance<dwconv::taps<5, 5>, dwconv::stride<2, 2>>,
                        dwconv::direct_instance<dwconv::any_taps, dwconv::any_stride>>;

std::vector<conv2d_problem> problems_in_chunks()
{
  dwconv::compiled_shape const wide = window_shapes()[0], strided = window_shapes()[3];
  return {
    problem_with_output(wide, {25, 17}, {1, 1, 1, 1}, {.batch = 2, .channels = 3, .multiplier = 2}),
    problem_with_output(strided, {22, 105}, {6, 1, 1, 1}, {.batch = 2, .multiplier = 3})};
}

/// Whether the places that stages are told are those of the outputs, however tiles are made.
template <typename Output>
int places_wrong(conv2d_problem const& p, Output const& output)
{
  auto const offsets  = output(tells_where{0});
  auto const channels = output(tells_where{1});
  auto const places   = output(tells_where{2});
  REQUIRE(offsets.size() == y_size(p));
  REQUIRE(channels.size() == y_size(p));
  REQUIRE(places.size() == y_size(p));
  int wrong = 0;
  for_each_output(p, [&](place const& at) {
    wrong += offsets[at.offset] != static_cast<float>(at.offset) ||
             channels[at.offset] != static_cast<float>(at.batch * 1000 + at.channel) ||
             places[at.offset] != static_cast<float>(at.row * 1000 + at.column);
  });
  return wrong;
}

}  // namespace

TEST_CASE("a stage of a tile is told where in y it is", "[window_epilogues]")
{
  for (conv2d_problem const& p : problems()) {
    REQUIRE(window_takes<float>(p));
    auto const c = integer_case<float>(p);
    CHECK(places_wrong(p, [&](tells_where stage) { return output_of(c, door_with{stage}); }) == 0);
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
    dwconv::forward_tensors<float> const tensors{x.data(), filter.data(), y.data()};
    REQUIRE(door_with{dwconv::epilogue::residual<float>{y.data()}}(p, tensors, test_stream()).ok());
    REQUIRE(synchronize() == cudaSuccess);
    auto const after = y.read();
    int wrong        = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) { wrong += after[i] != sums[i] + before[i]; }
    CHECK(wrong == 0);
    CHECK(y.canaries_intact());
  }
}

TEST_CASE("a stage of a chunk is told where in y it is, once an output", "[window_epilogues]")
{
  for (conv2d_problem const& p : problems_in_chunks()) {
    auto const c = integer_case<float>(p);
    for (forced_tile const& tile : tiles_in_chunks()) {
      INFO(describe(p) << ", " << describe(tile));
      CHECK(chunks_of(forced_plan<float>(p, tile)) > 1);
      CHECK(places_wrong(p, [&](tells_where stage) {
              return output_of(c, forced_door<tells_where, instances_in_chunks>{tile, stage});
            }) == 0);
      device_buffer<int> calls{std::vector<int>(y_size(p), 0)};
      CHECK(!output_of(c, forced_door<counts_calls, instances_in_chunks>{tile, {calls.data()}})
               .empty());
      CHECK(calls.read() == std::vector<int>(y_size(p), 1));
      CHECK(calls.canaries_intact());
    }
  }
}

TEST_CASE("chunks take a bias, an activation and a residual in its own place", "[window_epilogues]")
{
  namespace epilogue = dwconv::epilogue;
  for (conv2d_problem const& p : problems_in_chunks()) {
    auto const c      = real_case<float>(p, 19);
    auto const before = integers<float>(y_size(p), 37);
    device_buffer<float> x{c.x, 1}, filter{c.filter, 2};
    device_buffer<float> bias{integers<float>(static_cast<std::size_t>(p.output_channels()), 5)};
    auto const output = [&](dwconv::forward_plan const& plan) {
      device_buffer<float> y{before, 3};
      auto const stages =
        epilogue::bias<float>{bias.data()} | epilogue::silu{} | epilogue::residual<float>{y.data()};
      CHECK(dwconv::run<float, instances_in_chunks>(plan, {x.data(), filter.data(), y.data()},
                                                    test_stream(), stages)
              .ok());
      CHECK(synchronize() == cudaSuccess);
      CHECK(y.canaries_intact());
      return y.read();
    };
    auto const expected =
      output(dwconv::make_forward_plan<float>(p, 0, dwconv::kernel_family::direct));
    for (forced_tile const& tile : tiles_in_chunks()) {
      INFO(describe(p) << ", " << describe(tile));
      CHECK(same_bits(output(forced_plan<float>(p, tile)), expected));
    }
  }
}
