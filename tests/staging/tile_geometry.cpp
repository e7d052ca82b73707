// SPDX-License-Identifier: Apache-2.0
// A tile in shared memory, chunk after chunk: whatever its size and wherever its tensors start,
// runs keep their distance to 16-byte boundaries, do not touch each other however they are rounded
// outwards, lie in their area, and are where threads look for them.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <dwconv/plan/describe.hpp>
#include <dwconv/staging/tile_runs.hpp>

#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::plane_place;
using dwconv::tile_chunk;
using dwconv::tile_frame;
using dwconv::tile_geometry;
using dwconv::tile_position;
using dwconv::tile_runs;
using dwconv::tile_shape;

namespace {

std::int64_t between(std::mt19937_64& random, std::int64_t least, std::int64_t most)
{
  return least + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most - least + 1));
}

/// Elements of an area, from `first` to before `last`.
struct interval {
  std::int64_t first, last;
};

/// Elements of an area that hold something of a chunk.
class claims {
 public:
  /// @param before Elements of the area before what places are counted from.
  claims(std::int64_t before, std::int64_t size)
    : before_{before}, taken_(static_cast<std::size_t>(size), false)
  {}

  [[nodiscard]] bool holds(interval i) const
  {
    return i.first + before_ >= 0 && i.last + before_ <= static_cast<std::int64_t>(taken_.size());
  }

  /// False if something else holds a part of it.
  [[nodiscard]] bool take(interval i)
  {
    for (std::int64_t e = i.first; e < i.last; ++e) {
      auto const at = static_cast<std::size_t>(e + before_);
      if (taken_[at]) { return false; }
      taken_[at] = true;
    }
    return true;
  }

 private:
  std::int64_t before_;
  std::vector<bool> taken_;
};

/// One of a tile's two sides: x or y.
template <typename T>
struct side {
  tile_runs<T> runs;
  T* tensor;
  std::int64_t plane;  ///< First of the tensor's.
  int planes;
  int row, rows;  ///< Of a plane, in this chunk.
  int column, columns;
  std::int64_t height, width;  ///< Of the tensor's planes.
  int area_plane, area_pitch;
  std::int64_t before, size;  ///< Of the area.
  int reach;                  ///< Elements a thread may read on either side of a row.
};

/// What is wrong with how the rows of a chunk lie in its area.
template <typename T>
std::string flaw_of(side<T> const& s, tile_geometry const& g)
{
  constexpr int piece = dwconv::copy_bytes / static_cast<int>(sizeof(T));
  int const count     = s.runs.count(s.rows);
  if (s.rows <= 0) { return count != 0 ? "counts elements of no rows" : ""; }
  if (s.columns <= 0) { return {}; }  // a window of padding

  claims area{s.before, s.size};
  std::int64_t elements = 0;
  for (int r = 0; r < s.runs.runs(s.rows); ++r) {
    T* const run       = s.runs.run(r, s.row);
    std::int64_t place = s.runs.place(r, s.row);
    if ((place - dwconv::past_boundary(run)) % piece != 0) {
      return "loses a run's distance to a boundary";
    }
    interval const rounded{place / piece * piece, (place + count + piece - 1) / piece * piece};
    if (!area.holds(rounded)) { return "has a run outside its area"; }
    if (!area.take(rounded)) { return "has two runs in one place"; }
    elements += count;
  }
  if (!g.whole_planes && elements != std::int64_t{s.planes} * s.rows * s.columns) {
    return "moves another number of elements";
  }
  if (!g.whole_rows && s.runs.runs(s.rows) > 32 && g.chunks > 1) { return "has too many runs"; }

  // Every row of every plane is in the run that its memory is in, where a thread looks for it.
  claims rows{s.before, s.size};
  for (int plane = 0; plane < s.planes; ++plane) {
    plane_place<T> const found{s.runs, g.whole_planes, plane, s.area_plane};
    std::int64_t const first = found.offset() + found.past(found.alignment(), s.row);
    for (int row = 0; row < s.rows; ++row) {
      T* const memory =
        s.tensor + ((s.plane + plane) * s.height + s.row + row) * s.width + s.column;
      std::int64_t const at = first + std::int64_t{row} * s.area_pitch;
      int const run         = g.whole_planes ? 0 : g.whole_rows ? plane : row;
      if (memory - s.runs.run(run, s.row) != at - s.runs.place(run, s.row)) {
        return "looks for a row where it is not";
      }
      if (memory < s.runs.run(run, s.row) || memory + s.columns > s.runs.run(run, s.row) + count) {
        return "has a row outside its run";
      }
      if (!area.holds({at - s.reach, at + s.columns + s.reach})) {
        return "reads outside its area";
      }
      if (!rows.take({at, at + s.columns})) { return "keeps two rows in one place"; }
    }
  }
  return {};
}

struct tensors_at {
  std::size_t x, y;
};

/// What is wrong with one tile, chunk after chunk.
template <typename T>
std::string flaw_of_tile(conv2d_problem const& p, tile_geometry const& g, tile_frame const& f,
                         std::int32_t index, int overhang, tensors_at start)
{
  extent2 const out     = dwconv::output_extent(p);
  tile_position const t = tile_position::of(g, f, index);
  // Never looked into; wide apart so that no address repeats.
  T* const x      = reinterpret_cast<T*>((std::uintptr_t{1} << 40) + start.x * sizeof(T));
  T* const y      = reinterpret_cast<T*>((std::uintptr_t{1} << 41) + start.y * sizeof(T));
  auto const from = dwconv::input_runs<T>(x, g, f, t);
  auto const to   = dwconv::output_runs<T>(y, g, f, t);
  if (t.input_plane != t.plane / p.multiplier ||
      t.input_plane + t.input_planes - 1 != (t.plane + t.planes - 1) / p.multiplier) {
    return "stages other planes than it needs";
  }

  int finished = 0, steps = 0;
  for (int k = 0; k < g.chunks; ++k) {
    tile_chunk const c = t.chunk(g, f, k);
    if (c.input_rows < 0 || c.output_rows < 0) { return "has a chunk of less than nothing"; }
    if (c.input_rows > 0 && (c.input_row < 0 || c.input_row + c.input_rows > p.input.height)) {
      return "stages rows that are not there";
    }
    // Each step belongs to one chunk, and finds its rows there.
    if (c.first_step != k * g.tile.steps) { return "leaves steps out"; }
    for (int step = c.first_step; step < c.end_step; ++step, ++steps) {
      for (std::int64_t j = 0; j < p.stride.height; ++j) {
        std::int64_t const row = t.row * p.stride.height - p.pad.top + step * p.stride.height + j;
        bool const used =
          row < (t.row + t.rows - 1) * p.stride.height - p.pad.top + p.filter.height;
        if (row < 0 || row >= p.input.height || !used) { continue; }
        if (row < c.input_row || row >= c.input_row + c.input_rows) {
          return "does not stage a row that a step takes";
        }
      }
    }
    // Each row of results belongs to the chunk with its last step.
    if (c.output_rows > 0 && c.output_row != t.row + finished) { return "finishes rows unasked"; }
    for (int row = 0; row < c.output_rows; ++row) {
      int const last_step = finished + row + f.live - 1;
      if (last_step < c.first_step || last_step >= c.end_step) {
        return "finishes a row in a chunk without its last step";
      }
    }
    finished += c.output_rows;

    side<T const> const input{from,           x,
                              t.input_plane,  t.input_planes,
                              c.input_row,    c.input_rows,
                              t.input_column, t.input_columns,
                              p.input.height, p.input.width,
                              g.input_plane,  g.input_pitch,
                              g.input_slack,  g.input_size,
                              overhang};
    side<T> const output{to,
                         y,
                         t.plane,
                         t.planes,
                         c.output_row,
                         c.output_rows,
                         t.column,
                         t.columns,
                         out.height,
                         out.width,
                         g.output_plane,
                         g.output_pitch,
                         0,
                         g.output_size,
                         0};
    if (auto const flaw = flaw_of(input, g); !flaw.empty()) { return "x " + flaw; }
    if (auto const flaw = flaw_of(output, g); !flaw.empty()) { return "y " + flaw; }
  }
  if (finished != t.rows) { return "does not finish every row once"; }
  return steps != t.rows + f.live - 1 ? "takes other steps than its rows need" : "";
}

template <typename T>
std::string flaw_of_tiles(conv2d_problem const& p, tile_shape const& tile, int overhang,
                          tensors_at start)
{
  tile_geometry const g = dwconv::lay_out_tile(p, tile, sizeof(T), overhang);
  tile_frame const f{p};
  constexpr int piece = dwconv::copy_bytes / static_cast<int>(sizeof(T));
  if (g.input_slack % piece != 0) { return "starts its rows off a boundary"; }
  if (g.input_size * sizeof(T) % 128 != 0 || g.output_size * sizeof(T) % 128 != 0) {
    return "has areas of odd size";
  }
  if (dwconv::tile_elements(p, tile, sizeof(T), overhang) !=
      std::int64_t{g.stages} * (g.input_size + g.output_size)) {
    return "measures another size";
  }
  for (std::int32_t index = 0; index < g.tiles; ++index) {
    std::string const flaw = flaw_of_tile<T>(p, g, f, index, overhang, start);
    if (!flaw.empty()) { return "tile " + std::to_string(index) + ": " + flaw; }
  }
  return {};
}

/// A tile that keeps to the planner's rules, in chunks or not.
tile_shape any_tile(std::mt19937_64& random, conv2d_problem const& p, int piece)
{
  extent2 const out = dwconv::output_extent(p);
  tile_shape tile{};
  tile.rows = static_cast<int>(random() % 3 == 0 ? out.height : between(random, 1, out.height));
  bool const full_rows = random() % 3 != 0;
  tile.columns         = static_cast<int>(full_rows ? out.width : between(random, 1, out.width));
  if (tile.columns == out.width) { tile.planes = static_cast<int>(between(random, 1, 12)); }
  tile.steps = static_cast<int>(dwconv::geometry::steps_for(p, tile.rows));
  std::int64_t const most =
    tile.columns < out.width ? 32 / p.stride.height / piece : std::int64_t{4};
  if (random() % 4 != 0 && most >= 1) {
    tile.steps = piece * static_cast<int>(between(random, 1, most));
  }
  return tile;
}

}  // namespace

TEST_CASE("a congruent pitch is the least of its remainder", "[tile_geometry]")
{
  int wrong = 0;
  for (int const piece : {2, 4, 8}) {
    for (int least = 1; least <= 200; ++least) {
      for (std::int64_t memory = 1; memory <= 40; ++memory) {
        std::int64_t const pitch = dwconv::geometry::congruent_pitch(least, memory, piece);
        wrong += pitch < least || pitch >= least + piece || pitch % piece != memory % piece;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("chunks of tiles of any size lie in their areas, rows where threads look for them",
          "[tile_geometry]")
{
  std::mt19937_64 random{11};
  int checked = 0, windows = 0, chunked = 0, many = 0, joined_chunks = 0, mid_group = 0;
  for (int i = 0; i < 12'000; ++i) {
    conv2d_problem const p{
      .batch      = between(random, 1, 2),
      .channels   = between(random, 1, 5),
      .multiplier = between(random, 1, 4),
      .input      = {between(random, 1, 30), between(random, 1, 40)},
      .filter     = {between(random, 1, 7), between(random, 1, 7)},
      .stride     = {between(random, 1, 4), between(random, 1, 3)},
      .pad = {between(random, 0, i % 5 == 0 ? 40 : 9), between(random, 0, i % 7 == 0 ? 40 : 9),
              between(random, 0, i % 3 == 0 ? 64 : 5), between(random, 0, i % 4 == 0 ? 64 : 5)}};
    if (!dwconv::validate(p).ok()) { continue; }
    int const bytes       = 2 << (i % 3);
    tile_shape const tile = any_tile(random, p, 16 / bytes);
    auto const overhang =
      static_cast<int>(between(random, 1, 20) + std::max(p.pad.left, p.pad.right));
    tensors_at const start{random() % 8, random() % 8};
    std::string const flaw = bytes == 2   ? flaw_of_tiles<std::uint16_t>(p, tile, overhang, start)
                             : bytes == 4 ? flaw_of_tiles<float>(p, tile, overhang, start)
                                          : flaw_of_tiles<double>(p, tile, overhang, start);
    if (!flaw.empty()) {
      FAIL(describe(p) << ", tiles of " << tile.planes << "x" << tile.rows << "x" << tile.columns
                       << " in chunks of " << tile.steps << " steps, " << bytes
                       << " bytes: " << flaw);
    }
    tile_geometry const g = dwconv::lay_out_tile(p, tile, bytes, overhang);
    ++checked;
    windows += !g.whole_rows;
    chunked += g.chunks > 1;
    many += g.chunks > 3;
    joined_chunks += g.chunks > 1 && tile.planes > 1;
    mid_group += tile.planes > 1 && tile.planes % p.multiplier != 0;
  }
  CHECK(checked > 8'000);
  CHECK(windows > 1'000);
  CHECK(chunked > 2'000);
  CHECK(many > 300);
  CHECK(joined_chunks > 500);
  CHECK(mid_group > 500);
}

TEST_CASE("tiles have one chunk where their steps suffice, else two stages", "[tile_geometry]")
{
  conv2d_problem const p{
    .batch = 1, .channels = 4, .input = {40, 50}, .filter = {5, 5}, .pad = {2, 2, 2, 2}};
  REQUIRE(dwconv::geometry::live_rows(p) == 5);
  REQUIRE(dwconv::geometry::steps_for(p, 20) == 24);
  auto const laid_out = [&](int steps) {
    return dwconv::lay_out_tile(p, {.planes = 1, .rows = 20, .columns = 50, .steps = steps}, 4, 9);
  };
  for (int const steps : {24, 25, 100}) {
    CHECK(laid_out(steps).chunks == 1);
    CHECK(laid_out(steps).stages == 1);
  }
  CHECK(laid_out(20).chunks == 2);
  CHECK(laid_out(12).chunks == 2);
  CHECK(laid_out(8).chunks == 3);
  CHECK(laid_out(4).chunks == 6);
  for (int const steps : {20, 8, 4}) { CHECK(laid_out(steps).stages == dwconv::tile_stages); }
  CHECK(laid_out(4).input_size < laid_out(24).input_size);
  CHECK(laid_out(4).output_size < laid_out(24).output_size);
}

TEST_CASE("an input row reaches as many output rows as the filter is strides high",
          "[tile_geometry]")
{
  for (std::int64_t filter = 1; filter <= 9; ++filter) {
    for (std::int64_t stride = 1; stride <= 5; ++stride) {
      conv2d_problem const p{
        .batch = 1, .channels = 1, .input = {100, 9}, .filter = {filter, 1}, .stride = {stride, 1}};
      std::int64_t most = 0;
      for (std::int64_t row = 20; row < 40; ++row) {
        std::int64_t reached = 0;
        for (std::int64_t out = 0; out < 45; ++out) {
          reached += row >= out * stride && row < out * stride + filter;
        }
        most = std::max(most, reached);
      }
      CHECK(dwconv::geometry::live_rows(p) == most);
    }
  }
}

TEST_CASE("planes of more than 2^31 elements keep their rows' distance to a boundary",
          "[tile_geometry]")
{
  conv2d_problem const p{
    .batch = 1, .channels = 3, .input = {100'000, 70'001}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  tile_frame const f{p};
  for (tile_shape const tile : {tile_shape{1, 16, 501, 4}, tile_shape{1, 8, 70'001, 4}}) {
    tile_geometry const g        = dwconv::lay_out_tile(p, tile, 4, 9);
    std::int32_t const per_plane = g.strips.divisor() * g.windows.divisor();
    for (std::int32_t index = 2 * per_plane; index < 3 * per_plane; index += per_plane / 97 + 1) {
      std::string const flaw = flaw_of_tile<float>(p, g, f, index, 9, {1, 2});
      if (!flaw.empty()) { FAIL("tile " << index << " " << flaw); }
    }
  }
}
