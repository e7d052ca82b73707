// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/problem/descriptor.hpp>
#include <dwconv/reduction/split_sum.hpp>

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

/// How the direct family sums a gradient over the batch.
struct direct_sum_policy {
  split_sum split;
  index_width index = index_width::bits64;
  friend constexpr bool operator==(direct_sum_policy const&, direct_sum_policy const&) = default;
};

/// Taps of a filter whose gradients one thread sums: each element of dy is read once for all of
/// them.
inline constexpr int direct_filter_taps = 9;

/// Threads of a warp that sum gradients of different channels: neighbours in memory are channels
/// where those lie inside.
[[nodiscard]] constexpr int direct_channel_lanes(layout order) noexcept
{
  return order == layout::nchw ? 1 : 32;
}

/// Groups of output channels, each a block's.
[[nodiscard]] constexpr std::int64_t direct_channel_groups(conv2d_problem const& p) noexcept
{
  std::int64_t const lanes = direct_channel_lanes(p.data_layout);
  return (p.output_channels() + lanes - 1) / lanes;
}

/// Groups of taps, each a block's.
[[nodiscard]] constexpr std::int64_t direct_filter_chunks(conv2d_problem const& p) noexcept
{
  return (p.filter.height * p.filter.width + direct_filter_taps - 1) / direct_filter_taps;
}

/// Neighbouring elements of a plane of dy that a thread adds to a bias at once: 16 bytes.
[[nodiscard]] constexpr int direct_bias_run(layout order, std::int64_t element_bytes) noexcept
{
  return order == layout::nchw ? static_cast<int>(16 / element_bytes) : 1;
}

}  // namespace dwconv
