// SPDX-License-Identifier: Apache-2.0
// A tile in shared memory: whatever its size and wherever its tensors start, staged runs keep their
// distance to 16-byte boundaries, do not touch each other however they are rounded outwards, and
// lie in their area.
#include <algorithm>
#include <random>
#include <string>

#include <dwconv/plan/describe.hpp>
#include <dwconv/staging/tile_position.hpp>

#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::tile_frame;
using dwconv::tile_geometry;
using dwconv::tile_position;
using dwconv::tile_shape;

namespace {

std::int64_t between(std::mt19937_64& random, std::int64_t least, std::int64_t most)
{
  return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
}

/// Elements of an area, from `first` to before `last`.
struct interval {
  std::int64_t first, last;
  [[nodiscard]] bool within(std::int64_t size) const { return first >= 0 && last <= size; }
};

interval rounded_outwards(interval i, int piece)
{
  return {i.first / piece * piece, (i.last + piece - 1) / piece * piece};
}

/// Whether what is staged for one tile is as the kernels take it to be. Areas start at a boundary.
std::string flaw_of_input(conv2d_problem const& p, tile_geometry const& g, tile_position const& t,
                          int piece, int reach, int misalign)
{
  std::int64_t const first =
    ((t.plane * p.input.height + t.input_row) * p.input.width + t.input_column) + misalign;
  std::int64_t const start = g.input_slack + first % piece;
  int const runs           = g.whole_rows ? 1 : t.input_rows;
  std::int64_t const count = g.whole_rows
                               ? ((t.planes - 1) * p.input.height + t.input_rows) * p.input.width
                               : t.input_columns;
  interval before{0, 0};
  for (int r = 0; r < runs && count > 0; ++r) {
    std::int64_t const at = start + static_cast<std::int64_t>(r) * g.input_pitch;
    if (at % piece != (first + r * p.input.width) % piece) {
      return "loses the distance to a boundary";
    }
    interval const run = rounded_outwards({at, at + count}, piece);
    if (!run.within(g.input_size)) { return "stages outside the area"; }
    if (r > 0 && run.first < before.last) { return "stages two rows in one place"; }
    before = run;
  }
  // Threads read `reach` elements past what they need, of rows on the image.
  for (int plane : {0, t.planes - 1}) {
    for (int row : {0, t.input_rows - 1}) {
      if (t.input_rows <= 0) { continue; }
      std::int64_t const at =
        start + plane * g.input_plane + static_cast<std::int64_t>(row) * g.input_pitch;
      std::int64_t const columns = g.whole_rows ? p.input.width : std::max(t.input_columns, 0);
      if (!interval{at - reach, at + columns + reach}.within(g.input_size)) {
        return "reads outside the area";
      }
    }
  }
  return {};
}

std::string flaw_of_output(conv2d_problem const& p, tile_geometry const& g, tile_position const& t,
                           int piece, int misalign)
{
  extent2 const out   = dwconv::output_extent(p);
  auto const planes   = t.planes * p.multiplier;
  auto const first_of = [&](std::int64_t plane) {
    return ((t.plane * p.multiplier + plane) * out.height + t.row) * out.width + t.column +
           misalign;
  };
  std::int64_t end_before = 0;
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    std::int64_t const start =
      plane * g.output_plane + first_of(g.whole_planes ? 0 : plane) % piece;
    for (int row = 0; row < t.rows; ++row) {
      std::int64_t const at = start + static_cast<std::int64_t>(row) * g.output_pitch;
      if (at % piece != (first_of(plane) + row * out.width) % piece) {
        return "keeps a result at another distance to a boundary";
      }
      if (!interval{at, at + t.columns}.within(g.output_size)) {
        return "keeps results outside the area";
      }
      if (at < end_before) { return "keeps two results in one place"; }
      end_before = at + t.columns;
    }
  }
  return {};
}

}  // namespace

TEST_CASE("a congruent pitch is the least of its remainder", "[tile_geometry]")
{
  int wrong = 0;
  for (int const piece : {2, 4, 8}) {
    for (int least = 1; least <= 200; ++least) {
      for (std::int64_t memory = 1; memory <= 40; ++memory) {
        int const pitch = dwconv::geometry::congruent_pitch(least, memory, piece);
        wrong += pitch < least || pitch >= least + piece || pitch % piece != memory % piece;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("tiles of any size lie in their areas, rows apart", "[tile_geometry]")
{
  std::mt19937_64 random{11};
  int checked = 0, windows = 0;
  for (int i = 0; i < 40'000; ++i) {
    conv2d_problem const p{.batch      = between(random, 1, 2),
                           .channels   = between(random, 1, 9),
                           .multiplier = between(random, 1, 3),
                           .input      = {between(random, 1, 30), between(random, 1, 60)},
                           .filter     = {between(random, 1, 7), between(random, 1, 7)},
                           .stride     = {between(random, 1, 3), between(random, 1, 3)},
                           .pad        = {between(random, 0, 9), between(random, 0, 9),
                                          between(random, 0, 64), between(random, 0, 64)}};
    if (!dwconv::validate(p).ok()) { continue; }
    extent2 const out = dwconv::output_extent(p);
    bool const whole  = i % 3 == 0;
    bool const strip  = i % 3 == 1;
    tile_shape const tile{
      .planes  = whole ? static_cast<int>(between(random, 1, 12)) : 1,
      .rows    = static_cast<int>(whole ? out.height : between(random, 1, out.height)),
      .columns = static_cast<int>(whole || strip ? out.width : between(random, 1, out.width))};
    int const bytes = 2 << (i / 3 % 3), piece = 16 / bytes;
    auto const overhang =
      static_cast<int>(between(random, 0, 20) + std::max(p.pad.left, p.pad.right));
    tile_geometry const g = dwconv::lay_out_tile(p, tile, bytes, overhang);
    tile_frame const f{p};
    int const x_start = static_cast<int>(random() % 8), y_start = static_cast<int>(random() % 8);
    REQUIRE(g.input_slack % piece == 0);
    REQUIRE(g.input_size * bytes % 128 == 0);
    REQUIRE(g.output_size * bytes % 128 == 0);
    for (std::int32_t index = 0; index < g.tiles; ++index) {
      tile_position const t = tile_position::of(g, f, index);
      std::string const flaw =
        flaw_of_input(p, g, t, piece, overhang, x_start) + flaw_of_output(p, g, t, piece, y_start);
      if (!flaw.empty()) {
        FAIL(describe(p) << ", tile " << index << " of " << tile.planes << "x" << tile.rows << "x"
                         << tile.columns << ", " << bytes << " bytes: " << flaw);
      }
    }
    ++checked;
    windows += !g.whole_rows;
  }
  CHECK(checked > 20'000);
  CHECK(windows > 5'000);
}
