// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/warp.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Elements of shared memory that `block_sum` needs.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr int block_sum_size(int lanes, int count,
                                                              int threads) noexcept
{
  return threads / warp_lanes * count * lanes;
}

/// Adds up each of `Count` values over the threads of a block, in an order of its own: within a
/// warp in a tree, then warp after warp. Every thread calls it, once, with whole warps.
///
/// @tparam Lanes 1 for sums over all threads; 32 for sums over the threads of the same lane, which
/// are as many for each value.
/// @param values This thread's; afterwards of no use.
/// @param area   Shared memory, `block_sum_size` elements.
/// @param take   Called as `take(value, lane, sum)`, by one thread for each sum.
template <int Lanes, int Count, typename Sum, typename Take>
__device__ void block_sum(Sum (&values)[Count], Sum* area, Take const& take)
{
  static_assert(Lanes == 1 || Lanes == warp_lanes);
  Sum* const of_warp = area + warp_index() * (Count * Lanes);
#pragma unroll
  for (int i = 0; i < Count; ++i) {
    if constexpr (Lanes == 1) {
#pragma unroll
      for (int mask = warp_lanes / 2; mask > 0; mask /= 2) {
        values[i] += shuffle_xor(values[i], mask);
      }
      if (lane_index() == 0) { of_warp[i] = values[i]; }
    } else {
      of_warp[i * Lanes + lane_index()] = values[i];
    }
  }
  block_sync();
  int const threads = static_cast<int>(blockDim.x);
  for (int e = static_cast<int>(threadIdx.x); e < Count * Lanes; e += threads) {
    Sum sum = area[e];
    for (int w = 1; w < threads / warp_lanes; ++w) { sum += area[w * (Count * Lanes) + e]; }
    take(e / Lanes, e % Lanes, sum);
  }
}

DWCONV_ABI_NAMESPACE_END
