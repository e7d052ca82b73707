// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/filter_policy.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// What one thread keeps in registers: neighbouring columns of a row, and how many rows at a time.
struct window_piece_shape {
  int columns = 1;
  int rows    = 0;  ///< Zero: it slides down any number of them.
  friend constexpr bool operator==(window_piece_shape const&, window_piece_shape const&) = default;
};

/// How one block of the window family covers the output.
struct window_policy {
  tile_shape tile;
  window_piece_shape piece;  ///< One of `window_pieces`.
  int rows_per_thread = 1;   ///< Output rows a thread computes; all of a tile of several chunks.
  int threads         = 32;
  int number          = 0;  ///< Of the kernel for filters known at run time.
  friend constexpr bool operator==(window_policy const&, window_policy const&) = default;
};

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int window_threads = 128;

/// Pieces, the preferred first, and what another costs more than it per output, in 1/1000.
struct window_piece_list {
  window_piece_shape shapes[4];
  int extra_cost[4];
  int count;
};

/// The pieces that are compiled for a filter.
///
/// Columns are odd where an element fills a bank of shared memory or two, so that neighbouring
/// threads meet different banks; for half types an odd number of pairs.
[[nodiscard]] constexpr window_piece_list window_pieces(extent2 filter, extent2 stride,
                                                        int element_bytes) noexcept
{
  if (element_bytes == 2) { return {{{6, 0}}, {}, 1}; }
  if (element_bytes == 8) { return {{{3, 0}}, {}, 1}; }
  if (filter.height == 1) { return {{{15, 0}, {7, 0}, {3, 0}}, {0, 100, 400}, 3}; }
  // Neighbours share no inputs; many threads with few registers hide more.
  if (filter.width == 1) { return {{{3, 0}, {7, 0}}, {0, 100}, 2}; }
  if (filter.height <= 3 && stride.width > 1) { return {{{5, 0}, {3, 0}}, {0, 200}, 2}; }
  if (filter.height <= 3 && filter.width >= 5) { return {{{5, 0}, {3, 0}}, {0, 50}, 2}; }
  // Between them 4 and 5 rows are too many to read again at both ends of a short walk, and few
  // enough for all sums of one to stay in registers.
  bool const middle = filter.height > 3 && filter.height <= 5 && filter.width <= 5;
  if (middle && stride == extent2{1, 1}) {
    return {{{7, 7}, {7, 0}, {5, 0}, {3, 0}}, {0, 0, 30, 200}, 4};
  }
  if (filter.height > 3 && stride.width > 1) { return {{{7, 0}, {3, 0}}, {0, 30}, 2}; }
  return {{{7, 0}, {5, 0}, {3, 0}}, {0, 30, 200}, 3};
}

/// Elements of a row that one thread may read past those it needs: its outputs may be cut short by
/// the row's end.
[[nodiscard]] constexpr std::int64_t window_reach(int columns, std::int64_t stride_width,
                                                  std::int64_t filter_width) noexcept
{
  return (columns - 1) * stride_width + filter_width;
}

/// Blocks of the most threads that a multiprocessor's registers shall hold, which is what caps a
/// thread's: the filter, the rows of sums, a row of x and its masks, and room to work.
[[nodiscard]] constexpr int window_blocks(extent2 filter, extent2 stride, window_piece_shape piece,
                                          int element_bytes) noexcept
{
  std::int64_t const live =
    piece.rows > 0 ? piece.rows : (filter.height + stride.height - 1) / stride.height;
  std::int64_t const reach = window_reach(piece.columns, stride.width, filter.width);
  std::int64_t const words = element_bytes == 8 ? 2 : 1;
  std::int64_t const registers =
    words * (filter.height * filter.width + live * piece.columns + reach) + reach +
    (piece.rows > 0                                             ? 32
     : piece.columns <= 3 && filter.height * filter.width <= 36 ? 52
                                                                : 40);
  return static_cast<int>(
    std::clamp<std::int64_t>(65536 / (window_threads * ((registers + 7) / 8 * 8)), 1, 8));
}

/// Elements before and after a staged row that threads may read, and pay no attention to.
[[nodiscard]] constexpr std::int64_t window_overhang(conv2d_problem const& p, int columns) noexcept
{
  return window_reach(columns, p.stride.width, filter_span(p).width) +
         std::max(p.pad.left, p.pad.right);
}

}  // namespace dwconv
