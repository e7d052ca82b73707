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
  int live            = 0;  ///< Of a filter known at run time: one of `runtime_window_sizes`.
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
  if (filter.height <= 3 && filter.width >= 5) { return {{{3, 0}, {5, 0}}, {0, 50}, 2}; }
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
    (piece.rows > 0 ? 32 : piece.columns <= 3 ? 52 : 40);
  return static_cast<int>(
    std::clamp<std::int64_t>(65536 / (window_threads * ((registers + 7) / 8 * 8)), 1, 8));
}

/// Elements before and after a staged row that threads may read, and pay no attention to.
[[nodiscard]] constexpr std::int64_t window_overhang(conv2d_problem const& p, int columns) noexcept
{
  return window_reach(columns, p.stride.width, filter_span(p).width) +
         std::max(p.pad.left, p.pad.right);
}

/// One of the kernels compiled for filters, strides and dilations known at run time only.
struct runtime_window_size {
  int live;     ///< Most rows of sums.
  int columns;  ///< A thread's.
  int blocks;   ///< Of the most threads, that a multiprocessor's registers shall hold.
};

/// How many there are.
inline constexpr int runtime_window_sizes = 2;

/// Number 0 is for the lowest filters. Columns as in `window_pieces`; fewer, the more rows of sums
/// there are.
[[nodiscard]] constexpr runtime_window_size runtime_window_size_of(int number,
                                                                   int element_bytes) noexcept
{
  constexpr runtime_window_size of_float[]  = {{4, 7, 5}, {8, 5, 4}};
  constexpr runtime_window_size of_half[]   = {{4, 7, 5}, {8, 6, 4}};
  constexpr runtime_window_size of_double[] = {{4, 3, 5}, {8, 3, 3}};
  return element_bytes == 2   ? of_half[number]
         : element_bytes == 8 ? of_double[number]
                              : of_float[number];
}

/// Rows of sums of the largest. More of them did not stay in registers.
inline constexpr int runtime_window_most_live = 8;

/// The first kernel with `live` rows of sums, which are at most `runtime_window_most_live`.
[[nodiscard]] constexpr runtime_window_size runtime_window_for(std::int64_t live,
                                                               int element_bytes) noexcept
{
  int number = 0;
  while (runtime_window_size_of(number, element_bytes).live < live) { ++number; }
  return runtime_window_size_of(number, element_bytes);
}

/// Rows of sums that a kernel with `most` of them computes for a filter that needs `live`: it has
/// code for a few numbers of rows. Rows past those needed hold outputs that are finished already.
[[nodiscard]] constexpr int runtime_window_rows(int most, int live) noexcept
{
  int const apart = std::max(most / 8, 1);
  return (live + apart - 1) / apart * apart;
}

/// Rows of sums up to which neighbouring taps are taken in fours, which share what they read of x:
/// more rows make more of each element, and leave no registers for it.
inline constexpr int runtime_window_most_fours = 8;

/// How a thread walks down a filter known at run time: in steps, one an output row of its. A
/// dilated filter's taps are neighbours if rows of x between them are left out, and with them the
/// output rows that lie there: those are another thread's.
struct runtime_window_walk {
  int step_rows;  ///< Rows of x that a step takes, one below the other.
  int advance;    ///< From a step's first row of x to the next step's.
  int phases;     ///< From one output row of a thread to its next.
  int live;       ///< Output rows of a thread that a row of x can reach.
  bool possible;  ///< Not if filter and stride leave out different rows.

  explicit constexpr runtime_window_walk(conv2d_problem const& p) noexcept
    : step_rows{static_cast<int>(std::min(p.filter.height, p.stride.height))},
      advance{static_cast<int>(p.stride.height)},
      phases{1},
      live{static_cast<int>((p.filter.height + p.stride.height - 1) / p.stride.height)},
      possible{true}
  {
    if (p.filter.height > 1 && p.dilation.height > 1) {
      step_rows = 1;
      advance   = static_cast<int>(p.dilation.height);
      phases    = static_cast<int>(p.dilation.height / p.stride.height);
      live      = static_cast<int>(p.filter.height);
      possible  = p.dilation.height % p.stride.height == 0;
    }
  }
};

/// Where the filters of a tile lie in shared memory, in the type of sums: of each plane, of each
/// row of a step, of each tap along the row, the taps down the filter that are a stride apart, the
/// first first.
struct runtime_window_filter {
  int rows;       ///< Of sums; from one tap along a row to the next.
  int single;     ///< Taps along a row that are taken one by one, before the others in fours.
  int lead;       ///< Elements before a row's first tap, so that fours are aligned.
  int row_pitch;  ///< From one row of a step to the next.
  int plane_pitch;

  constexpr runtime_window_filter(conv2d_problem const& p, int element_bytes) noexcept
  {
    runtime_window_walk const walk{p};
    int const width = static_cast<int>(p.filter.width);
    bool const near =
      p.dilation.width == 1 && p.stride.width == 1 && walk.live <= runtime_window_most_fours;
    rows      = runtime_window_rows(runtime_window_for(walk.live, element_bytes).live, walk.live);
    single    = near ? (width - 1) % 4 + 1 : width;
    lead      = (4 - single % 4) % 4 * rows;
    row_pitch = (lead + width * rows + 3) / 4 * 4;
    // An odd number of 16 bytes of float: threads on planes beside each other meet other banks.
    plane_pitch = (walk.step_rows * row_pitch / 4 | 1) * 4;
  }
};

}  // namespace dwconv
