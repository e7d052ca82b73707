// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/output_extent.hpp>
#include <dwconv/staging/tile_geometry.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// One axis of dx, as the kernels that spread dy over it go through it.
///
/// Element r of dy is added to the elements stride * r - pad + k of dx, for the taps k. A step
/// takes one element of dy and finishes a group of `stride` elements of dx, those from stride * r -
/// pad on; the first and last groups may lie partly, or in whole, outside dx.
struct spread_axis {
  std::int64_t ramp;    ///< Groups after its own that an element of dy reaches.
  std::int64_t groups;  ///< Up to the one with dx's last element.
};

/// Down a plane.
[[nodiscard]] constexpr spread_axis spread_rows(conv2d_problem const& p) noexcept
{
  return {(p.filter.height - 1) / p.stride.height,
          geometry::divide_up(p.input.height + p.pad.top, p.stride.height)};
}

/// Along a row.
[[nodiscard]] constexpr spread_axis spread_columns(conv2d_problem const& p) noexcept
{
  return {(p.filter.width - 1) / p.stride.width,
          geometry::divide_up(p.input.width + p.pad.left, p.stride.width)};
}

/// Neighbouring groups of columns that a thread keeps in registers: few, for many warps hide more
/// than long rows save. Of halves that makes an even number of columns of dx, for they are stored
/// two at a time. Found on an H200 (docs/tuning.md).
[[nodiscard]] constexpr int spread_piece(extent2 filter, extent2 stride, int element_bytes) noexcept
{
  bool const many_sums = filter.height > 3 && stride.width > 1;
  if (element_bytes == 2 && stride.width > 1) { return many_sums || stride.width % 2 == 1 ? 4 : 5; }
  if (element_bytes == 2) { return filter.height * filter.width > 9 ? 6 : 10; }
  return element_bytes == 8 && many_sums ? 1 : 3;
}

/// Most threads of a block: rows are not cut.
inline constexpr int spread_threads = 256;

/// About how many registers a thread takes.
[[nodiscard]] constexpr std::int64_t spread_registers(extent2 filter, extent2 stride, int columns,
                                                      std::size_t element_bytes) noexcept
{
  std::int64_t const rows  = std::max(filter.height, stride.height);
  std::int64_t const reach = columns + (filter.width - 1) / stride.width;
  std::int64_t const words = element_bytes == 8 ? 2 : 1;
  std::int64_t const some =
    words * (filter.height * filter.width + rows * columns * stride.width + reach) + reach + 44;
  return (some + 7) / 8 * 8;
}

/// Blocks that a multiprocessor's registers shall hold.
[[nodiscard]] constexpr int spread_blocks(extent2 filter, extent2 stride, int columns,
                                          std::size_t element_bytes) noexcept
{
  return static_cast<int>(std::clamp<std::int64_t>(
    65536 / (spread_threads * spread_registers(filter, stride, columns, element_bytes)), 1, 4));
}

/// What tiles of dx need of a problem to be found: the groups of rows of dx are to dy what rows of
/// y are to x where a window slides.
[[nodiscard]] constexpr tile_frame spread_frame(conv2d_problem const& p) noexcept
{
  extent2 const dy       = output_extent(p);
  spread_axis const rows = spread_rows(p);
  tile_frame f{};
  f.input_height  = static_cast<int>(dy.height);
  f.input_width   = static_cast<int>(dy.width);
  f.output_height = static_cast<int>(rows.groups);
  f.output_width  = static_cast<int>(p.input.width);
  f.filter_height = static_cast<int>(rows.ramp) + 1;
  f.filter_width  = 1;
  f.stride_height = 1;
  f.stride_width  = 1;
  f.pad_top       = static_cast<int>(rows.ramp);
  f.pad_left      = 0;
  f.live          = static_cast<int>(rows.ramp) + 1;
  f.multiplier    = static_cast<int>(p.multiplier);
  f.plane_of_x    = fast_divisor<std::int32_t>{1};
  return f;
}

/// Lays a tile of dx out in shared memory, with the dy that meets it. Its rows are groups of rows,
/// full ones; its input planes are those of dy.
[[nodiscard]] constexpr tile_geometry lay_out_spread(conv2d_problem const& p,
                                                     tile_shape const& tile, int element_bytes,
                                                     int columns) noexcept
{
  extent2 const dy         = output_extent(p);
  spread_axis const rows   = spread_rows(p);
  spread_axis const across = spread_columns(p);
  int const piece          = copy_bytes / element_bytes;
  std::int64_t const steps = tile.rows + rows.ramp;
  bool const one           = tile.steps >= steps;
  std::int64_t const taken = std::min(one ? steps : tile.steps, dy.height);
  std::int64_t const kept =
    std::min((one ? tile.rows : std::min(tile.rows, tile.steps)) * p.stride.height, p.input.height);
  std::int64_t const overhang =
    columns + across.ramp + std::max<std::int64_t>(across.groups - dy.width, 0);
  std::int64_t const dy_plane = dy.height * dy.width;
  std::int64_t const dx_plane = p.input.height * p.input.width;

  tile_geometry g{};
  g.tile         = tile;
  g.chunks       = static_cast<int>(geometry::divide_up(steps, tile.steps));
  g.stages       = std::min(g.chunks, tile_stages);
  g.whole_rows   = true;
  g.whole_planes = one && tile.rows >= rows.groups && dy.height <= rows.groups &&
                   geometry::planes_touch(dy_plane, dx_plane, tile.planes, element_bytes);
  g.input_pitch = static_cast<int>(dy.width);
  g.input_plane = static_cast<int>(
    g.whole_planes ? dy_plane : geometry::spread_planes(taken * dy.width + 2 * piece, piece));
  g.input_slack = static_cast<int>(geometry::round_up(overhang, piece)) + piece;
  g.input_size  = geometry::round_up(
     2 * g.input_slack + tile.planes * static_cast<int>(p.multiplier) * g.input_plane,
     128 / element_bytes);
  g.output_pitch = static_cast<int>(p.input.width);
  g.output_plane = static_cast<int>(
    g.whole_planes ? dx_plane : geometry::spread_planes(kept * p.input.width + 2 * piece, piece));
  g.output_size = geometry::round_up(tile.planes * g.output_plane + 2 * piece, 128 / element_bytes);
  g.planes      = p.batch * p.channels;
  g.strips      = fast_divisor<std::int32_t>(
    static_cast<std::int32_t>(geometry::divide_up(rows.groups, tile.rows)));
  g.windows = fast_divisor<std::int32_t>(1);
  g.tiles   = geometry::divide_up(g.planes, tile.planes) * g.strips.divisor();
  return g;
}

/// From one filter to the next where they are staged, as sums; a multiple of 16 bytes.
[[nodiscard]] constexpr int spread_filter_pitch(extent2 filter, int sum_bytes) noexcept
{
  return geometry::round_up(static_cast<int>(filter.height * filter.width), copy_bytes / sum_bytes);
}

/// Bytes of shared memory of a block: chunks, and filters where a channel has several.
[[nodiscard]] constexpr std::int64_t spread_shared_bytes(conv2d_problem const& p,
                                                         tile_geometry const& g,
                                                         int element_bytes) noexcept
{
  int const sum_bytes = std::max(element_bytes, 4);
  std::int64_t const filters =
    p.multiplier > 1
      ? g.tile.planes * p.multiplier * spread_filter_pitch(p.filter, sum_bytes) * sum_bytes
      : 0;
  return 128 + std::int64_t{g.stages} * (g.input_size + g.output_size) * element_bytes + filters;
}

}  // namespace dwconv
