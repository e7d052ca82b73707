// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/toeplitz/tile.hpp>

namespace dwconv {

/// Output rows that a slot of a stack walks down.
inline constexpr int toeplitz_stack_rows = 7;

/// Blocks of 8 columns that a warp computes beside each other.
inline constexpr int toeplitz_stack_blocks = 4;

/// How the tiles of large filters lie in shared memory.
///
/// Slots are the same rows of up to 16 images, or runs of rows below each other, and a row of
/// windows is stacked of 16 rows of x: block b of each takes in the same columns, so padding beside
/// the image is skipped as padding above it is. A row of x is staged in halves of matrix products,
/// 8 columns each, from a multiple of 8 on; what of the last is behind the image is zero.
///
/// Sizes and pitches are in elements.
struct toeplitz_stack {
  toeplitz_tile tile;
  int before;       ///< Halves before the one under a block that the block's windows begin in.
  int lead;         ///< Columns of the first half that lie before the first tap.
  int halves;       ///< Staged of each row, at most.
  int rows;         ///< Staged of each plane, at most.
  int image_pitch;  ///< An odd number of 16 bytes, so that eight images meet different banks.
  int plane_pitch;  ///< From one staged channel to the next.
  int input_size;
  toeplitz_filter_rows filter;
  int filter_size;
  int raw_size;  ///< Of the filters as they are in memory.

  static constexpr int half = toeplitz_depth / 2;

  /// Elements before the staged rows, of which the first half are zeros.
  static constexpr int zeros = 64;

  [[nodiscard]] static constexpr toeplitz_stack of(conv2d_problem const& p,
                                                   toeplitz_tile tile) noexcept
  {
    toeplitz_stack s{};
    s.tile   = tile;
    s.before = static_cast<int>(geometry::divide_up(p.pad.left, half));
    s.lead   = half * s.before - static_cast<int>(p.pad.left);
    s.halves =
      static_cast<int>(std::min(geometry::divide_up(p.input.width, half),
                                geometry::divide_up(tile.columns, half) + window_halves(p) - 1));
    s.rows = static_cast<int>(std::min(p.input.height, tile.rows + p.filter.height - 1));

    int const plane = s.rows * s.halves;
    s.image_pitch   = (plane + (plane % 2 == 0 ? 1 : 0)) * half;
    s.plane_pitch   = tile.images * s.image_pitch;
    s.input_size    = tile.channels * s.plane_pitch;
    s.filter =
      toeplitz_filter_rows::of_window(toeplitz_block - 1 + s.lead, (window_halves(p) + 1) / 2);
    s.filter_size =
      tile.channels * static_cast<int>(p.multiplier * p.filter.height) * 4 * s.filter.pitch;
    s.raw_size = geometry::round_up(
      tile.channels * static_cast<int>(p.multiplier * p.filter.height * p.filter.width), half);
    return s;
  }

  /// Halves of matrix products along a row of the filter, as many as a kernel is compiled for.
  [[nodiscard]] static constexpr int window_halves(conv2d_problem const& p) noexcept
  {
    std::int64_t const lead = geometry::divide_up(p.pad.left, half) * half - p.pad.left;
    auto const needed =
      static_cast<int>(geometry::divide_up(lead + toeplitz_block - 1 + p.filter.width, half));
    return needed == 3 ? 4 : needed;
  }

  [[nodiscard]] constexpr int shared_bytes() const noexcept
  {
    return (zeros + input_size + filter_size + raw_size) * toeplitz_element_bytes;
  }
};

/// The fewest halves of matrix products along a filter row that kernels of stacks are compiled for:
/// filters of 9 to 41 columns, or fewer with some paddings.
inline constexpr int toeplitz_stack_fewest_halves = 4;
/// The most of them.
inline constexpr int toeplitz_stack_most_halves = 6;

/// Whether a problem whose filter is not held in registers can be computed in stacks.
[[nodiscard]] constexpr bool toeplitz_stacks(conv2d_problem const& p) noexcept
{
  int const halves = toeplitz_stack::window_halves(p);
  return p.stride == extent2{1, 1} && !toeplitz_holds_filter(p, toeplitz_begin(p)) &&
         halves >= toeplitz_stack_fewest_halves && halves <= toeplitz_stack_most_halves;
}

}  // namespace dwconv
