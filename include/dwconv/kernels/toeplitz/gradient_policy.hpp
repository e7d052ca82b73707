// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/problem/output_extent.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// Columns of dy, and of x, that one side of a matrix product holds.
inline constexpr int gradient_block = 8;

/// Blocks that are summed over at once: the depth of a matrix product.
inline constexpr int gradient_slots = 16;

/// Most runs of one tensor in a chunk: a warp's lanes start the copies of both tensors.
inline constexpr int gradient_runs_most = 16;

/// Threads of a block of the kernel: its warps share nothing but the multiprocessor.
inline constexpr int gradient_threads = 128;

/// How the toeplitz family sums the gradient of the filter. A warp takes some rows and columns of
/// one filter, and of the *units* that x and dy are cut into every `splits`-th. A unit is a strip
/// of rows, some blocks of columns wide, of some images; it passes through shared memory some rows
/// at a time.
struct toeplitz_gradient_policy {
  int rows         = 3;  ///< Filter rows that the kernel has sums for,
  int halves       = 3;  ///< and blocks of x that it has beside each block of dy.
  int tap_rows     = 1;  ///< Filter rows of a warp: at most `rows`.
  int tap_columns  = 1;  ///< Filter columns of a warp.
  int images       = 1;  ///< Of a unit.
  int blocks       = 1;  ///< Of dy, along a row of a unit.
  int strip        = 1;  ///< Rows of dy of a unit.
  int steps        = 1;  ///< Of a chunk: a step brings a row of x and one of dy.
  int splits       = 1;
  bool whole_rows  = true;   ///< A unit has full rows, which lie one after the other.
  bool side_by_side = false;  ///< Splits of one filter are neighbours, instead of filters.
  friend constexpr bool operator==(toeplitz_gradient_policy const&,
                                   toeplitz_gradient_policy const&) = default;
};

/// Where one tensor's part of a chunk lies in shared memory, in pieces of 16 bytes, which hold a
/// block each. As it was copied: runs of rows or single rows, as they lie in memory. Laid out:
/// every row begins with a piece.
struct gradient_area {
  int blocks      = 0;  ///< Most of a row.
  int row_pitch   = 0;
  int image_pitch = 0;
  int run_pitch   = 0;  ///< From one run to the next, as copied.
  int pieces      = 0;  ///< In all.

  gradient_area() = default;
  /// @param own_blocks Most blocks of a row that are staged.
  constexpr gradient_area(toeplitz_gradient_policy const& policy, std::int64_t own_blocks) noexcept
    : blocks{static_cast<int>(own_blocks)}
  {
    if (policy.whole_rows) {
      row_pitch = blocks;
      // Slots of an image after those of the one before, modulo the banks; with room for what lies
      // between a run's begin and the boundary before it.
      image_pitch = policy.steps * blocks + 1;
      while (policy.images > 1 && (image_pitch - policy.blocks) % 8 != 0) { ++image_pitch; }
      run_pitch = image_pitch;
      pieces    = policy.images * image_pitch;
    } else {
      row_pitch = run_pitch = blocks + 1;
      image_pitch           = 0;
      pieces                = policy.steps * run_pitch;
    }
  }
};

/// The shared memory of a warp, in bytes: its notes, then areas for chunks, in whose place sums lie
/// at the end.
struct gradient_layout {
  static constexpr int areas  = 3;
  static constexpr int staged = 288;  ///< Where the areas begin, after the notes.
  gradient_area x;
  gradient_area dy;
  std::int64_t area_bytes = 0;
  std::int64_t warp_bytes = 0;

  gradient_layout() = default;
  constexpr gradient_layout(conv2d_problem const& p, toeplitz_gradient_policy const& policy) noexcept
  {
    std::int64_t const all = geometry::divide_up(p.input.width, gradient_block);
    x  = {policy, policy.whole_rows
                    ? all
                    : std::min<std::int64_t>(all, policy.blocks + policy.halves - 1)};
    dy = {policy, policy.blocks};
    // One more: words are read up to one past a run.
    area_bytes = (std::int64_t{x.pieces} + dy.pieces + 1) * copy_bytes;
    std::int64_t const sums =
      std::int64_t{policy.rows} * policy.halves * gradient_block * gradient_block * 4;
    warp_bytes = staged + std::max(areas * area_bytes, sums);
  }

  /// Of a block.
  [[nodiscard]] constexpr std::int64_t shared_bytes() const noexcept
  {
    return gradient_threads / 32 * warp_bytes;
  }
};

}  // namespace dwconv
