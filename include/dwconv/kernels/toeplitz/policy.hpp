// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/kernels/toeplitz/tile.hpp>

namespace dwconv {

/// How one block of the toeplitz family covers the output.
struct toeplitz_policy {
  toeplitz_tile tile;
  int threads                                                                      = 32;
  friend constexpr bool operator==(toeplitz_policy const&, toeplitz_policy const&) = default;
};

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int toeplitz_threads = 256;

/// Output rows that a slot walks down. A multiple of most networks' plane heights, 7 * 2^n.
inline constexpr int toeplitz_rows = 7;

/// Oldest architecture with the matrix product the family is made of: m16n8k16 of half types.
inline constexpr int toeplitz_oldest_capability = 80;

/// Matrix products along a filter row that kernels are compiled for: filters of up to 73 columns at
/// stride 1.
inline constexpr int toeplitz_most_chunks = 5;

}  // namespace dwconv
