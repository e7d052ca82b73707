// SPDX-License-Identifier: Apache-2.0
// Tiles that pass through shared memory chunk by chunk, of every shape a plan may ask for and every
// piece that is compiled: the direct family's bits, whatever is cut where.
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::tile_shape;
using dwconv::window_piece_shape;

namespace {

/// Steps of the smallest chunk.
template <typename T>
constexpr int least_steps = 16 / static_cast<int>(sizeof(T));

/// A problem whose output is at least as large as can be, from `input`.
conv2d_problem on_image(dwconv::compiled_shape const& shape, extent2 input, dwconv::padding2 pad,
                        plane_counts const& counts = {})
{
  return {.batch      = counts.batch,
          .channels   = counts.channels,
          .multiplier = counts.multiplier,
          .input      = input,
          .filter     = shape.taps,
          .stride     = shape.stride,
          .pad        = pad};
}

}  // namespace

TEMPLATE_TEST_CASE("every compiled piece of every window kernel is reached, in one chunk or more",
                   "[window_chunks]", float, double, __half, __nv_bfloat16)
{
  int reached = 0, in_chunks = 0, listed = 0;
  for (auto const& shape : window_shapes()) {
    auto const list = dwconv::window_pieces(shape.taps, shape.stride, sizeof(TestType));
    listed += list.count;
    for (int i = 0; i < list.count; ++i) {
      window_piece_shape const piece = list.shapes[i];
      // The last piece of a row has one column; the last tile of three planes has one.
      conv2d_problem const p = problem_with_output(shape, {23, 2 * piece.columns + 1}, {1, 1, 0, 1},
                                                   {.batch = 1, .channels = 4});
      for (int const rows : {3, 7}) {
        forced_tile const one{{3, 23, 999, 0}, piece, rows};
        if (3 * 3 * (23 / rows + 1) > dwconv::window_threads) { continue; }
        CHECK(same_as_direct<TestType>(p, one, {1, 2, 3}));
      }
      CHECK(same_as_direct<TestType>(p, forced_tile{{1, 9, 999, 0}, piece, 5}));
      CHECK(same_as_direct<TestType>(p, forced_tile{{1, 4, piece.columns + 1, 0}, piece, 4}));
      ++reached;
      if (piece.rows > 0) { continue; }
      for (tile_shape const tile : {tile_shape{3, 23, 999, least_steps<TestType>},
                                    tile_shape{1, 12, piece.columns + 1, least_steps<TestType>}}) {
        forced_tile const wanted{tile, piece};
        CHECK(chunks_of(forced_plan<TestType>(p, wanted)) > 1);
        CHECK(same_as_direct<TestType>(p, wanted, {3, 1, 2}));
      }
      ++in_chunks;
    }
  }
  CHECK(reached == listed);
  // One or more that slide, and 5x5 has one in registers besides.
  CHECK(listed == (sizeof(TestType) == 4 ? 21 : 8));
  CHECK(in_chunks == listed - (sizeof(TestType) == 4 ? 1 : 0));
}

TEMPLATE_TEST_CASE("one chunk, two, three and many", "[window_chunks]", float, double, __half,
                   __nv_bfloat16)
{
  for (auto const& shape : window_shapes()) {
    constexpr int least = least_steps<TestType>;
    int const live =
      static_cast<int>((shape.taps.height + shape.stride.height - 1) / shape.stride.height);
    std::vector<int> seen(12, 0);
    for (int const chunks : {1, 2, 3, 7}) {
      // As many steps as fill the last chunk, one more and one less.
      for (int const over : {-1, 0, 1}) {
        int const rows = chunks * least - live + 1 + over;
        if (rows < 1) { continue; }
        conv2d_problem const p = problem_with_output(shape, {2 * rows + rows / 2, 19}, {1, 0, 1, 1},
                                                     {.channels = 2, .multiplier = 2});
        if (p.input.height < 1) { continue; }
        for (int const columns : {19, 8}) {
          forced_tile const wanted{{3, rows, columns, least}};
          auto const plan = forced_plan<TestType>(p, wanted);
          int const count = chunks_of(plan);
          CHECK(count == (chunks * least + over + least - 1) / least);
          ++seen[static_cast<std::size_t>(count)];
          CHECK(same_as_direct<TestType>(p, wanted, {2, 0, 1}));
        }
      }
    }
    for (int const chunks : {1, 2, 3, 7}) {
      bool const possible = chunks * least >= live;
      CHECK((seen[static_cast<std::size_t>(chunks)] > 0) == possible);
    }
  }
}

TEST_CASE("tiles of planes that begin in the middle of a channel's outputs", "[window_chunks]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t multiplier = 1; multiplier <= 7; ++multiplier) {
    for (int const planes : {2, 3, 5, 32}) {
      for (int const steps : {0, 1, 2}) {
        auto const& shape      = shapes[next % shapes.size()];
        conv2d_problem const p = problem_with_output(
          shape, {next % 3 == 0 ? 17 : 9, 1 + static_cast<std::int64_t>(next % 5)}, {1, 1, 0, 0},
          {.batch = 3, .channels = 3, .multiplier = multiplier});
        CHECK(
          same_as_direct(next, p, forced_tile{{planes, 9, 999, steps}}, {next % 5, 1, next % 7}));
        ++next;
      }
    }
  }
}

TEST_CASE("last tiles cut short in planes, rows and columns", "[window_chunks]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t height : {8, 9, 15, 16, 17}) {
    for (std::int64_t width : {10, 11, 20, 21, 29}) {
      for (int const steps : {0, 1, 2}) {
        auto const& shape = shapes[(next / 4 + next) % shapes.size()];
        conv2d_problem const p =
          problem_with_output(shape, {height, width}, {1, 1, 1, 0}, {.batch = 1, .channels = 5});
        if (shape.stride.height == 1 || steps < 2) {
          CHECK(same_as_direct(next, p, forced_tile{{1, 8, 10, steps}}));
        }
        CHECK(same_as_direct(next, p, forced_tile{{3, 8, 999, steps}}));
        CHECK(same_as_direct(next, p, forced_tile{{2, 999, 999, steps}}));
        ++next;
      }
    }
  }
}

TEST_CASE("padding above and below that is larger than a chunk, or a tile", "[window_chunks]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t const above : {0, 1, 9, 17, 70}) {
    for (std::int64_t const below : {0, 8, 33, 70}) {
      for (std::int64_t const height : {1, 2, 7}) {
        auto const& shape      = shapes[next % shapes.size()];
        conv2d_problem const p = on_image(shape, {height, 13}, {above, below, 1, 2},
                                          {.batch = 1, .channels = 2, .multiplier = 2});
        if (!dwconv::validate(p).ok()) { continue; }
        for (int const rows : {5, 24, 999}) {
          CHECK(same_as_direct(next / 3, p, forced_tile{{3, rows, 999, 1}}));
          if (rows < 100) { CHECK(same_as_direct(next / 3, p, forced_tile{{1, rows, 6, 1}})); }
        }
        CHECK(same_as_direct(next / 3, p, forced_tile{{2, 10, 999, 0}, {}, 4}));
        ++next;
      }
    }
  }
}

TEST_CASE("steps of two rows of which one is on the image", "[window_chunks]")
{
  int met          = 0;
  std::size_t next = 0;
  for (auto const& shape : window_shapes()) {
    if (shape.stride.height == 1) { continue; }
    for (std::int64_t above = 0; above <= 5; ++above) {
      for (std::int64_t below = 0; below <= 3; ++below) {
        for (std::int64_t const height : {1, 2, 3, 12, 33}) {
          conv2d_problem const p =
            on_image(shape, {height, 9}, {above, below, 1, 1}, {.batch = 1, .channels = 3});
          if (!dwconv::validate(p).ok()) { continue; }
          met += above % 2 == 1 ? 1 : 0;
          CHECK(same_as_direct(next, p, forced_tile{{2, 999, 999, 1}}, {1, 0, 1}));
          CHECK(same_as_direct(next, p, forced_tile{{1, 6, 4, 1}}));
          CHECK(same_as_direct(next, p, forced_tile{{2, 999, 999, 0}, {}, 2}));
          ++next;
        }
      }
    }
  }
  CHECK(met > 20);
}

TEST_CASE("planes of one row or one column, and lower than the filter", "[window_chunks]")
{
  std::size_t next = 0;
  for (auto const& shape : window_shapes()) {
    std::int64_t const rows = shape.taps.height, columns = shape.taps.width;
    for (extent2 const input : {extent2{1, 1}, extent2{1, 40}, extent2{40, 1}, extent2{2, 3},
                                extent2{rows > 1 ? rows - 1 : 1, 11}}) {
      for (int again = 0; again < 4; ++again, ++next) {
        conv2d_problem const p =
          on_image(shape, input, {rows - 1, rows - 1, columns - 1, columns - 1},
                   {.batch = 2, .channels = 4});
        CHECK(same_as_direct(next, p, forced_tile{{3, 999, 999, 1}}, {next % 4, 0, next % 3}));
        CHECK(same_as_direct(next, p, forced_tile{{8, 999, 999, 0}}));
        CHECK(same_as_direct(next, p, forced_tile{{1, 3, 5, 1}}));
      }
    }
  }
}

TEST_CASE("chunks of tensors that start at any element, each on its own", "[window_chunks]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::size_t x = 0; x < 8; ++x) {
    for (std::size_t y = 0; y < 8; ++y, ++next) {
      misalignment const misalign{x, (x * 3 + y * 5) % 8, y};
      auto const& shape = shapes[next % shapes.size()];
      auto const odd    = static_cast<std::int64_t>(next % 8);
      conv2d_problem const p =
        problem_with_output(shape, {21, 12 + odd}, {1, 1, 1, 1}, {.batch = 1, .channels = 3});
      CHECK(same_as_direct<__half>(p, forced_tile{{3, 999, 999, 8}}, misalign));
      CHECK(same_as_direct<float>(p, forced_tile{{1, 11, 7, 4}}, misalign));
      CHECK(same_as_direct(next / 3, p, forced_tile{{2, 13, 999, 1}}, misalign));
    }
  }
}

TEST_CASE("blocks with warps that have no outputs", "[window_chunks]")
{
  std::size_t next = 0;
  for (auto const& shape : window_shapes()) {
    for (int warps = 1; warps <= 4; ++warps, ++next) {
      conv2d_problem const p =
        problem_with_output(shape, {19, 23}, {1, 1, 1, 1}, {.batch = 1, .channels = 3});
      CHECK(same_as_direct(next, p, forced_tile{{2, 19, 999, 1}, {}, 0, warps}));
      CHECK(same_as_direct(next, p, forced_tile{{1, 19, 9, 1}, {}, 0, warps}));
      CHECK(same_as_direct(next, p, forced_tile{{1, 10, 999, 0}, {}, 5, warps}));
    }
  }
}

TEST_CASE("whatever the tile", "[window_chunks]")
{
  auto const shapes = window_shapes();
  dice random{23};
  int tried = 0, chunked = 0, many = 0, cut_columns = 0, joined = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    auto const& shape = shapes[static_cast<std::size_t>(random.between(0, 7))];
    auto const pad    = [&](std::int64_t most) { return random.between(0, most); };
    conv2d_problem const p =
      on_image(shape, {random.between(1, 30), random.between(1, 40)},
               {pad(i % 6 == 0 ? 30 : 3), pad(i % 7 == 0 ? 30 : 3), pad(i % 8 == 0 ? 64 : 3),
                pad(i % 9 == 0 ? 64 : 3)},
               {random.between(1, 2), random.between(1, 4), random.between(1, 3)});
    if (!dwconv::validate(p).ok()) { continue; }
    extent2 const out = dwconv::output_extent(p);
    int const bytes   = i % 4 == 0 ? 4 : i % 4 == 2 ? 8 : 2;
    auto const list   = dwconv::window_pieces(p.filter, p.stride, bytes);
    auto const some   = [&](std::int64_t most) {
      return static_cast<int>(random.between(1, std::max<std::int64_t>(most, 1)));
    };

    forced_tile wanted{};
    window_piece_shape const piece = list.shapes[random.between(0, list.count - 1)];
    wanted.piece                   = piece;
    wanted.warps                   = some(4);
    wanted.tile.columns = random.between(0, 2) == 0 ? some(out.width) : static_cast<int>(out.width);
    wanted.tile.rows = random.between(0, 1) == 0 ? some(out.height) : static_cast<int>(out.height);
    bool const cut   = wanted.tile.columns < out.width;
    int const across = (wanted.tile.columns + piece.columns - 1) / piece.columns;
    wanted.tile.steps =
      static_cast<int>(random.between(0, cut ? 32 / (16 / bytes) / p.stride.height : 3));
    if (piece.rows > 0) { wanted.tile.steps = 0; }
    bool const one = wanted.tile.steps == 0;
    if (cut && one) {  // a lane for each row
      auto const most  = (32 - p.filter.height) / p.stride.height + 1;
      wanted.tile.rows = static_cast<int>(std::min<std::int64_t>(wanted.tile.rows, most));
    }
    wanted.rows_per_thread = some(piece.rows > 0 ? piece.rows : wanted.tile.rows);
    int const down =
      one ? (wanted.tile.rows + wanted.rows_per_thread - 1) / wanted.rows_per_thread : 1;
    // Rows of more pieces than threads: fewer of them.
    if (across * down > dwconv::window_threads) { continue; }
    int const room     = std::min(32, dwconv::window_threads / (across * (one ? down : 1)));
    wanted.tile.planes = cut ? 1 : some(std::min(room, 9));
    // What has too few steps for its chunks is one chunk, whose pieces may be more.
    if (!one && across * wanted.tile.rows * wanted.tile.planes > dwconv::window_threads) {
      wanted.rows_per_thread = wanted.tile.rows;
    }
    if (cut && !one && wanted.tile.rows * p.stride.height + p.filter.height > 32 &&
        wanted.tile.steps * (16 / bytes) >= dwconv::geometry::steps_for(p, wanted.tile.rows)) {
      continue;
    }
    misalignment const misalign{static_cast<std::size_t>(random.between(0, 7)),
                                static_cast<std::size_t>(random.between(0, 7)),
                                static_cast<std::size_t>(random.between(0, 7))};
    CHECK(same_as_direct(i, p, wanted, misalign));
    ++tried;
    auto const steps_in_all = dwconv::geometry::steps_for(p, wanted.tile.rows);
    chunked += !one && wanted.tile.steps * (16 / bytes) < steps_in_all;
    many += !one && wanted.tile.steps * (16 / bytes) * 3 < steps_in_all;
    cut_columns += cut;
    joined += wanted.tile.planes > 1;
  }
  CHECK(tried > 500);
  CHECK(chunked > 150);
  CHECK(many > 40);
  CHECK(cut_columns > 100);
  CHECK(joined > 150);
}

TEST_CASE("many chunks that differ in nothing but their place, in rows that lie alike and not",
          "[window_chunks]")
{
  for (auto const& shape : window_shapes()) {
    if (shape.taps.height < 5 || shape.stride.height > 1) { continue; }
    std::int64_t const pad = shape.taps.height / 2;
    for (extent2 const input : {extent2{40, 16}, extent2{37, 13}, extent2{41, 24}}) {
      for (std::size_t const misaligned : {0, 1, 2}) {
        for (std::int64_t const around : {pad, std::int64_t{0}}) {
          conv2d_problem const p =
            on_image(shape, input, {around, around, around, around}, {.batch = 2, .channels = 5});
          CHECK(same_as_direct<float>(p, forced_tile{{3, 999, 999, 4}}, misaligned));
          CHECK(same_as_direct<float>(p, forced_tile{{1, 29, 8, 4}}, {misaligned, 0, misaligned}));
        }
      }
    }
  }
}

TEST_CASE("filters of many small planes, where the channels begin anew and where memory ends",
          "[window_chunks]")
{
  for (auto const& shape : window_shapes()) {
    if (shape.taps.height < 5 || shape.stride.height > 1) { continue; }
    std::int64_t const pad = shape.taps.height / 2;
    for (std::int64_t const channels : {5, 32, 33, 64, 100}) {
      for (std::size_t const misaligned : {0, 1, 3}) {
        for (std::int64_t const multiplier : {1, 2}) {
          conv2d_problem const p =
            on_image(shape, {7, 7}, {pad, pad, pad, pad},
                     {.batch = 2, .channels = channels, .multiplier = multiplier});
          CHECK(same_as_direct<float>(p, forced_tile{{32, 7, 7, 0}}, {0, misaligned, 1}));
        }
      }
    }
  }
}
