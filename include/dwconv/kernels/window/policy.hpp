// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

/// How one block of the window family covers the output.
struct window_policy {
  tile_shape tile;
  int rows_per_thread = 1;  ///< Output rows a thread walks down.
  int threads         = 32;
  friend constexpr bool operator==(window_policy const&, window_policy const&) = default;
};

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int window_threads = 256;

/// Neighbouring outputs of a row that one thread keeps in registers.
///
/// Odd where an element fills a bank of shared memory or two, so that neighbouring threads meet
/// different banks; for half types an odd number of pairs.
[[nodiscard]] constexpr int window_columns(std::int64_t filter_height, int element_bytes) noexcept
{
  if (element_bytes == 2) { return 6; }
  return element_bytes == 4 && filter_height > 3 && filter_height <= 5 ? 5 : 3;
}

/// Blocks of the most threads that a multiprocessor's registers shall hold: what caps a thread's
/// registers. As many as the compiler manages without spilling, for every architecture that CI
/// compiles for.
[[nodiscard]] constexpr int window_blocks(std::int64_t filter_height, int element_bytes) noexcept
{
  if (filter_height > 3 || element_bytes == 8) { return 1; }
  return element_bytes == 4 ? 3 : 2;
}

/// Elements of a row that one thread may read past those it needs: its outputs may be cut short by
/// the row's end.
[[nodiscard]] constexpr int window_reach(int columns, std::int64_t stride_width,
                                         std::int64_t filter_width) noexcept
{
  return static_cast<int>((columns - 1) * stride_width + filter_width);
}

/// Elements before and after a staged row that threads may read, and pay no attention to.
[[nodiscard]] constexpr int window_overhang(conv2d_problem const& p, int columns) noexcept
{
  return window_reach(columns, p.stride.width, p.filter.width) +
         static_cast<int>(p.pad.left > p.pad.right ? p.pad.left : p.pad.right);
}

}  // namespace dwconv
