// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/warp.cuh>
#include <dwconv/reduction/split_sum.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One thread's way through the units of a split: it takes every one that is as many further as
/// there are threads for the same element.
///
/// @tparam Lanes 1 where all threads of a block sum the same element, 32 where a warp's lanes do
/// not.
template <int Lanes, typename Index>
class direct_split_walk {
 public:
  __device__ direct_split_walk(Index units, Index per_split, int split, int splits)
    : at_{static_cast<Index>(split * per_split +
                             (Lanes == 1 ? static_cast<int>(threadIdx.x) : warp_index()))},
      end_{split + 1 < splits ? static_cast<Index>((split + 1) * per_split) : units},
      step_{static_cast<Index>(static_cast<int>(blockDim.x) / Lanes)}
  {}

  /// Which of the block's channels the thread works on.
  [[nodiscard]] __device__ int lane() const { return Lanes == 1 ? 0 : lane_index(); }

  /// Calls `add(some, unit)` for each unit, with sums that begin anew after `terms_in_a_row` terms.
  template <int UnitTerms, typename Sum, int Count, typename Add>
  __device__ void add_up(Sum (&sums)[Count], Add const& add) const
  {
    for (Index at = at_; at < end_;) {
      Sum some[Count] = {};
#pragma unroll 2
      for (int i = 0; i < terms_in_a_row / UnitTerms && at < end_; ++i, at += step_) {
        add(some, at);
      }
#pragma unroll
      for (int k = 0; k < Count; ++k) { sums[k] += some[k]; }
    }
  }

 private:
  Index at_;
  Index end_;
  Index step_;
};

DWCONV_ABI_NAMESPACE_END
