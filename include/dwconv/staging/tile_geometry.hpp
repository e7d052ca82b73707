// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// The outputs one block computes, in nchw: a run of whole planes, a strip of full rows of one
/// plane, or, where rows are long, a window of columns of such a strip.
struct tile_shape {
  int planes =
    1;  ///< Input planes; more than one only where a tile holds all their rows and columns.
  int rows    = 1;  ///< Output rows of each plane.
  int columns = 1;  ///< Output columns of each row.
  friend constexpr bool operator==(tile_shape const&, tile_shape const&) = default;
};

/// Bytes that copies move at once, and that a tile's place in shared memory keeps to.
inline constexpr int copy_bytes = 16;

/// Where the parts of a tile lie in shared memory, in elements; the same for every tile of a
/// launch.
///
/// A row's elements lie as they do in memory, a constant pitch apart, each at the same distance
/// from a 16-byte boundary as in memory, so that whole 16-byte pieces move. Full rows and planes
/// follow each other without a gap and move as one run; a window of columns moves as one run a row.
struct tile_geometry {
  tile_shape tile;
  int input_pitch;            ///< From one staged row to the next.
  std::int64_t input_plane;   ///< From one staged plane to the next.
  int input_slack;            ///< Readable elements before the first staged row and after the last.
  std::int64_t input_size;    ///< Of the whole staging area.
  int output_pitch;           ///< From one row of results to the next.
  std::int64_t output_plane;  ///< From one plane of results to the next.
  std::int64_t output_size;   ///< Of the whole result area.
  bool whole_rows;            ///< The tile has full rows.
  bool whole_planes;          ///< The tile has full planes.
  std::int64_t planes;        ///< Input planes of the problem.
  std::int64_t tiles;
  fast_divisor<std::int32_t> strips;   ///< Tiles down a plane.
  fast_divisor<std::int32_t> windows;  ///< Tiles along a row.
};

namespace geometry {

template <typename Integer>
[[nodiscard]] constexpr Integer round_up(Integer value, int multiple) noexcept
{
  return (value + multiple - 1) / multiple * multiple;
}

[[nodiscard]] constexpr std::int64_t divide_up(std::int64_t value, std::int64_t divisor) noexcept
{
  return (value + divisor - 1) / divisor;
}

/// The smallest pitch of at least `least` elements that keeps rows as far from a 16-byte boundary
/// as `memory_pitch` does.
[[nodiscard]] constexpr int congruent_pitch(int least, std::int64_t memory_pitch,
                                            int elements_per_copy) noexcept
{
  int const wanted = static_cast<int>(memory_pitch % elements_per_copy);
  return round_up(least - wanted, elements_per_copy) + wanted;
}

}  // namespace geometry

/// Lays a tile out in shared memory.
///
/// @param p             A valid problem in nchw, with extents that fit 32 bits.
/// @param tile          What one block computes.
/// @param element_bytes Size of one element of x and y.
/// @param reach         Elements that a thread may read past the last column it needs, on either
/// side.
[[nodiscard]] constexpr tile_geometry lay_out_tile(conv2d_problem const& p, tile_shape tile,
                                                   int element_bytes, int reach) noexcept
{
  extent2 const out  = output_extent(p);
  extent2 const span = filter_span(p);
  int const piece    = copy_bytes / element_bytes;
  tile_geometry g{};
  g.tile         = tile;
  g.whole_rows   = tile.columns >= out.width;
  g.whole_planes = g.whole_rows && tile.rows >= out.height;
  g.planes       = p.batch * p.channels;

  std::int64_t const rows_met   = (tile.rows - 1) * p.stride.height + span.height;
  std::int64_t const cols_met   = (tile.columns - 1) * p.stride.width + span.width;
  std::int64_t const input_rows = std::min(rows_met, p.input.height);
  std::int64_t const input_cols = std::min(cols_met, p.input.width);

  g.input_pitch = g.whole_rows ? static_cast<int>(p.input.width)
                               : geometry::congruent_pitch(static_cast<int>(input_cols) + 2 * piece,
                                                           p.input.width, piece);
  g.input_plane = p.input.height * g.input_pitch;
  g.input_slack = geometry::round_up(reach, piece) + piece;
  std::int64_t const staged =
    g.whole_planes ? tile.planes * g.input_plane : input_rows * g.input_pitch;
  g.input_size = geometry::round_up(2 * g.input_slack + staged, 128 / element_bytes);

  std::int64_t const width = std::min<std::int64_t>(tile.columns, out.width);
  std::int64_t const rows  = std::min<std::int64_t>(tile.rows, out.height);
  g.output_pitch           = g.whole_rows
                               ? static_cast<int>(out.width)
                               : geometry::congruent_pitch(static_cast<int>(width) + piece, out.width, piece);
  // Whole planes of results follow each other as in memory; strips of several planes do not touch
  // there.
  std::int64_t const results = rows * g.output_pitch;
  g.output_plane = g.whole_planes ? results : geometry::round_up(results + 2 * piece, piece);
  g.output_size  = geometry::round_up(tile.planes * p.multiplier * g.output_plane + 2 * piece,
                                      128 / element_bytes);

  g.strips = fast_divisor<std::int32_t>(
    static_cast<std::int32_t>(geometry::divide_up(out.height, tile.rows)));
  g.windows = fast_divisor<std::int32_t>(
    static_cast<std::int32_t>(geometry::divide_up(out.width, tile.columns)));
  g.tiles = geometry::divide_up(g.planes, tile.planes) * g.strips.divisor() * g.windows.divisor();
  return g;
}

}  // namespace dwconv
