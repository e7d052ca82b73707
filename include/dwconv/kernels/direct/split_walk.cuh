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
    : first_{static_cast<Index>(split * per_split +
                                (Lanes == 1 ? static_cast<int>(threadIdx.x) : warp_index()))},
      step_{static_cast<Index>(static_cast<int>(blockDim.x) / Lanes)}
  {
    Index const end = split + 1 < splits ? static_cast<Index>((split + 1) * per_split) : units;
    count_          = first_ < end ? (end - first_ + step_ - 1) / step_ : 0;
  }

  /// Which of the block's channels the thread works on.
  [[nodiscard]] __device__ int lane() const { return Lanes == 1 ? 0 : lane_index(); }

  /// Calls `add(some, unit)` for each unit, with sums that begin anew after `terms_in_a_row` terms.
  ///
  /// @tparam Unroll Units whose loads may be on their way at once.
  template <int UnitTerms, int Unroll, typename Sum, int Count, typename Add>
  __device__ void add_up(Sum (&sums)[Count], Add const& add) const
  {
    Index at = first_;
    for (Index left = count_; left > 0; left -= terms_in_a_row / UnitTerms) {
      int const stretch =
        static_cast<int>(min(left, static_cast<Index>(terms_in_a_row / UnitTerms)));
      Sum some[Count] = {};
#pragma unroll Unroll
      for (int i = 0; i < stretch; ++i, at += step_) { add(some, at); }
#pragma unroll
      for (int k = 0; k < Count; ++k) { sums[k] += some[k]; }
    }
  }

 private:
  Index first_;
  Index step_;
  Index count_;
};

DWCONV_ABI_NAMESPACE_END
