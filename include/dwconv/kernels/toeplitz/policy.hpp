// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/kernels/toeplitz/group.hpp>
#include <dwconv/kernels/toeplitz/stack.hpp>

namespace dwconv {

/// How one block of the toeplitz family covers the output.
struct toeplitz_policy {
  toeplitz_tile tile;
  int threads = 32;
  int walk    = 7;  ///< Output rows that a slot walks down. Even where rows have odd lengths and
                    ///< a tile has several walks below each other: all begin alike then.
  bool stacks  = false;  ///< Of a large filter: laid out as `toeplitz_stack`.
  bool groups  = false;  ///< Multiplied by warpgroups: laid out as `toeplitz_group`.
  bool along   = false;  ///< Walks go along a plane's only row.
  bool passing = false;  ///< What is read does not take the place of what others left in L2.
  friend constexpr bool operator==(toeplitz_policy const&, toeplitz_policy const&) = default;
};

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int toeplitz_threads = 128;

/// Blocks of the most threads that a multiprocessor's registers shall hold: what caps a thread's
/// registers. As many as the compiler manages without spilling, for every architecture that CI
/// compiles for.
///
/// @param filter_height Of a filter held in registers, or 0.
/// @param stride        Along both axes.
/// @param chunks        Matrix products along a filter row.
/// @param begin         Where rows begin: if anywhere, two of each matrix are held.
[[nodiscard]] constexpr int toeplitz_blocks(int filter_height, int stride, int chunks,
                                            toeplitz_rows_begin begin) noexcept
{
  if (filter_height == 0) { return chunks <= 2 ? 4 : chunks == 3 ? 3 : 2; }
  if (filter_height > 9) { return 2; }
  if (filter_height == 1 && chunks > 2) { return 4; }
  if (filter_height == 3 && stride == 1 && chunks > 1) {
    return begin == toeplitz_rows_begin::even ? 4 : 3;
  }
  if (filter_height == 9) { return 4; }
  if (stride == 1 && filter_height == 1) { return begin == toeplitz_rows_begin::even ? 6 : 5; }
  if (stride == 1 && filter_height <= 3) { return 6; }
  if (begin == toeplitz_rows_begin::any) {
    if (stride == 1) { return filter_height <= 5 ? 5 : filter_height == 6 ? 3 : 4; }
    return filter_height == 4 || filter_height == 7 ? 3 : 4;
  }
  if (stride == 1 && filter_height == 5) { return 6; }
  return stride == 2 && filter_height == 7 ? 4 : 5;
}

/// Oldest architecture with the matrix product the family is made of: m16n8k16 of half types.
inline constexpr int toeplitz_oldest_capability = 80;

/// Matrix products along a filter row that kernels are compiled for: filters of up to 73 columns at
/// stride 1.
inline constexpr int toeplitz_most_chunks = 5;

}  // namespace dwconv
