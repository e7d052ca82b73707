// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Integers the kernel counts elements with.
enum class index_width : std::uint8_t { bits32, bits64 };

/// How the direct family covers the output: `threads` neighbouring elements of y a block, one a
/// thread.
struct direct_policy {
  int threads       = 256;
  index_width index = index_width::bits64;
  friend constexpr bool operator==(direct_policy const&, direct_policy const&) = default;
};

/// Threads per block. One size only: the kernel holds nothing per block, so occupancy is all it
/// could change.
inline constexpr int direct_threads = 256;

}  // namespace dwconv
