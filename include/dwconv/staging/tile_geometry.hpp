// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/problem/descriptor.hpp>
#include <dwconv/problem/output_extent.hpp>

namespace dwconv {

/// The outputs one block computes, in nchw: a number of planes side by side, all their rows or a
/// strip of them, and, where rows are long, a window of their columns. It passes through shared
/// memory a chunk of rows at a time.
struct tile_shape {
  int planes  = 1;  ///< Planes of y; more than one only where the tile has full rows.
  int rows    = 1;  ///< Output rows of each plane.
  int columns = 1;  ///< Output columns of each row.
  int steps   = 1;  ///< Of a chunk: a step takes as many input rows as the stride is high.
  friend constexpr bool operator==(tile_shape const&, tile_shape const&) = default;
};

/// Bytes that copies move at once, and that a tile's place in shared memory keeps to.
inline constexpr int copy_bytes = 16;

/// Chunks of a tile that are staged or on their way at a time, if it has several.
inline constexpr int tile_stages = 2;

/// Where the parts of a chunk lie in shared memory, in elements; the same for every chunk of a
/// launch.
///
/// A row's elements lie as they do in memory, a constant pitch apart, each at the same distance
/// from a 16-byte boundary as in memory, so that whole 16-byte pieces move. What follows without a
/// gap in memory moves as one run: a chunk that is a tile of full planes, or full rows of one
/// plane; a window of columns moves as one run a row.
struct tile_geometry {
  tile_shape tile;
  int chunks;         ///< Of a tile.
  int stages;         ///< Chunks in shared memory at a time.
  int input_pitch;    ///< From one staged row to the next.
  int input_plane;    ///< From one staged plane to the next.
  int input_slack;    ///< Readable elements before the first staged row and after the last.
  int input_size;     ///< Of one chunk's staging area.
  int output_pitch;   ///< From one row of results to the next.
  int output_plane;   ///< From one plane of results to the next.
  int output_size;    ///< Of one chunk's result area; there are as many as stages.
  bool whole_rows;    ///< The tile has full rows.
  bool whole_planes;  ///< One chunk has full planes.
  std::int64_t planes;  ///< Planes of y.
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
[[nodiscard]] constexpr std::int64_t congruent_pitch(std::int64_t least, std::int64_t memory_pitch,
                                                     int elements_per_copy) noexcept
{
  std::int64_t const wanted = memory_pitch % elements_per_copy;
  return round_up(least - wanted, elements_per_copy) + wanted;
}

/// Output rows that an input row can reach: rows of sums to keep while walking down, one step a
/// row.
[[nodiscard]] constexpr std::int64_t live_rows(conv2d_problem const& p) noexcept
{
  return divide_up(filter_span(p).height, p.stride.height);
}

/// Steps to walk down `rows` output rows.
[[nodiscard]] constexpr std::int64_t steps_for(conv2d_problem const& p, std::int64_t rows) noexcept
{
  return rows + live_rows(p) - 1;
}

/// Whether planes of a tile follow each other in shared memory as they do in memory. They do not
/// where threads at the same place of different planes would meet the same banks.
[[nodiscard]] constexpr bool planes_touch(std::int64_t input_plane, std::int64_t output_plane,
                                          int planes, int element_bytes) noexcept
{
  constexpr int half_the_banks = 64;
  bool const spread = input_plane * element_bytes % half_the_banks != 0 &&
                      output_plane * element_bytes % half_the_banks != 0;
  return planes == 1 || spread || planes > 32;
}

/// The smallest distance between planes of at least `least` elements that is an odd number of
/// copies, so that eight planes meet different banks.
[[nodiscard]] constexpr std::int64_t spread_planes(std::int64_t least,
                                                   int elements_per_copy) noexcept
{
  std::int64_t const copies = divide_up(least, elements_per_copy);
  return (copies + (copies % 2 == 0 ? 1 : 0)) * elements_per_copy;
}

/// Elements that the largest chunk of a tile takes in shared memory.
struct chunk_elements {
  bool whole_planes;
  std::int64_t input_pitch, input_plane, input_slack, input_size;
  std::int64_t output_pitch, output_plane, output_size;
};

[[nodiscard]] constexpr chunk_elements measure_chunk(conv2d_problem const& p,
                                                     tile_shape const& tile, int element_bytes,
                                                     std::int64_t overhang) noexcept
{
  extent2 const out        = output_extent(p);
  int const piece          = copy_bytes / element_bytes;
  bool const whole_rows    = tile.columns >= out.width;
  bool const one_chunk     = tile.steps >= steps_for(p, tile.rows);
  bool const whole_planes  = whole_rows && one_chunk && tile.rows >= out.height &&
                            planes_touch(p.input.height * p.input.width, out.height * out.width,
                                         tile.planes, element_bytes);
  std::int64_t const rows  = one_chunk ? (tile.rows - 1) * p.stride.height + filter_span(p).height
                                       : std::int64_t{tile.steps} * p.stride.height;
  std::int64_t const met   = (tile.columns - 1) * p.stride.width + filter_span(p).width;
  std::int64_t const cols  = std::min(met, p.input.width);
  std::int64_t const kept  = one_chunk ? tile.rows : std::min(tile.rows, tile.steps);
  std::int64_t const width = std::min<std::int64_t>(tile.columns, out.width);
  // The planes of x under a tile's planes of y, wherever it starts.
  std::int64_t const staged_planes = (tile.planes - 1 + p.multiplier - 1) / p.multiplier + 1;

  chunk_elements c{};
  c.whole_planes = whole_planes;
  c.input_pitch = whole_rows ? p.input.width
                             : congruent_pitch(cols + 2 * piece, p.input.width, piece);
  // Whole planes follow each other as in memory; runs of several planes do not touch.
  c.input_plane = whole_planes ? p.input.height * p.input.width
                               : spread_planes(std::min(rows, p.input.height) * c.input_pitch +
                                                 2 * piece,
                                               piece);
  c.input_slack = round_up(overhang, piece) + piece;
  c.input_size =
    round_up(2 * c.input_slack + staged_planes * c.input_plane, 128 / element_bytes);
  c.output_pitch =
    whole_rows ? out.width : congruent_pitch(width + piece, out.width, piece);
  c.output_plane = whole_planes ? out.height * out.width
                                : spread_planes(kept * c.output_pitch + 2 * piece, piece);
  c.output_size  = round_up(tile.planes * c.output_plane + 2 * piece, 128 / element_bytes);
  return c;
}

}  // namespace geometry

/// Elements of shared memory that a tile takes, all its areas together.
[[nodiscard]] constexpr std::int64_t tile_elements(conv2d_problem const& p, tile_shape const& tile,
                                                   int element_bytes,
                                                   std::int64_t overhang) noexcept
{
  auto const c        = geometry::measure_chunk(p, tile, element_bytes, overhang);
  bool const one      = tile.steps >= geometry::steps_for(p, tile.rows);
  return (c.input_size + c.output_size) * (one ? 1 : tile_stages);
}

/// Lays a tile out in shared memory.
///
/// @param p             A valid problem in nchw, with extents that fit 32 bits.
/// @param tile          Of at most the output; with `tile_elements` that fit 32 bits.
/// @param element_bytes Size of an element.
/// @param overhang      Elements before and after a staged row that threads may read and ignore.
[[nodiscard]] constexpr tile_geometry lay_out_tile(conv2d_problem const& p, tile_shape tile,
                                                   int element_bytes,
                                                   std::int64_t overhang) noexcept
{
  extent2 const out = output_extent(p);
  auto const c      = geometry::measure_chunk(p, tile, element_bytes, overhang);

  tile_geometry g{};
  g.tile         = tile;
  g.chunks       = static_cast<int>(geometry::divide_up(geometry::steps_for(p, tile.rows),
                                                        tile.steps));
  g.stages       = std::min(g.chunks, tile_stages);
  g.whole_rows   = tile.columns >= out.width;
  g.whole_planes = c.whole_planes;
  g.input_pitch  = static_cast<int>(c.input_pitch);
  g.input_plane  = static_cast<int>(c.input_plane);
  g.input_slack  = static_cast<int>(c.input_slack);
  g.input_size   = static_cast<int>(c.input_size);
  g.output_pitch = static_cast<int>(c.output_pitch);
  g.output_plane = static_cast<int>(c.output_plane);
  g.output_size  = static_cast<int>(c.output_size);
  g.planes       = p.batch * p.output_channels();
  g.strips       = fast_divisor<std::int32_t>(
    static_cast<std::int32_t>(geometry::divide_up(out.height, tile.rows)));
  g.windows = fast_divisor<std::int32_t>(
    static_cast<std::int32_t>(geometry::divide_up(out.width, tile.columns)));
  g.tiles = geometry::divide_up(g.planes, tile.planes) * g.strips.divisor() * g.windows.divisor();
  return g;
}

}  // namespace dwconv
