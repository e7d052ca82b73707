// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/staging/tile_geometry.hpp>

// What there is room for: threads, shared memory, and lanes to start copies.

namespace dwconv {

namespace window_tiles {

inline constexpr int warp_size = 32;

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr int even_part(std::int64_t whole, std::int64_t most) noexcept
{
  std::int64_t const parts = geometry::divide_up(whole, most);
  return static_cast<int>(geometry::divide_up(whole, parts));
}

/// The same for the columns of rows that are whole pieces of memory: parts are whole pieces too, so
/// that their results leave in copies without single elements at the ends.
[[nodiscard]] constexpr int part_of_row(std::int64_t width, std::int64_t most,
                                        int element_bytes) noexcept
{
  int const piece   = copy_bytes / element_bytes;
  int const part    = even_part(width, most);
  int const rounded = geometry::round_up(part, piece);
  return width % piece == 0 && rounded <= most ? rounded : part;
}

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p, tile_shape const& tile,
                                                  int element_bytes, int columns) noexcept
{
  return 128 + tile_elements(p, tile, element_bytes, window_overhang(p, columns)) * element_bytes;
}

[[nodiscard]] constexpr std::int64_t blocks_of(conv2d_problem const& p,
                                               window_policy const& policy) noexcept
{
  extent2 const out = output_extent(p);
  return geometry::divide_up(p.batch * p.output_channels(), policy.tile.planes) *
         geometry::divide_up(out.height, policy.tile.rows) *
         geometry::divide_up(out.width, policy.tile.columns);
}

/// Whether a warp has a lane for each run of a chunk, which starts its copy.
[[nodiscard]] constexpr bool has_lanes(conv2d_problem const& p, tile_shape const& tile) noexcept
{
  if (tile.columns >= output_extent(p).width) { return true; }  // a run a plane
  bool const one_chunk = tile.steps >= geometry::steps_for(p, tile.rows);
  std::int64_t const rows =
    one_chunk ? (tile.rows - 1) * p.stride.height + p.filter.height : tile.steps * p.stride.height;
  return std::max<std::int64_t>(rows, one_chunk ? tile.rows : 0) <= warp_size;
}

[[nodiscard]] constexpr bool fits(conv2d_problem const& p, window_policy const& policy,
                                  int element_bytes, device_facts const& device) noexcept
{
  return shared_bytes(p, policy.tile, element_bytes, policy.piece.columns) <=
         device.shared_bytes_per_block;
}

[[nodiscard]] constexpr std::int64_t threads_of(window_policy const& policy) noexcept
{
  return geometry::divide_up(policy.tile.columns, policy.piece.columns) *
         geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes;
}

/// A tile that fits if any does.
[[nodiscard]] constexpr window_policy least_tile(conv2d_problem const& p,
                                                 int element_bytes) noexcept
{
  window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
  window_policy policy{};
  policy.piece = {list.shapes[list.count - 1].columns, 0};
  policy.tile.columns =
    static_cast<int>(std::min<std::int64_t>(output_extent(p).width, policy.piece.columns));
  policy.tile.steps = static_cast<int>(geometry::live_rows(p));
  return policy;
}

}  // namespace window_tiles

}  // namespace dwconv
