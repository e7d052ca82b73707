// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/epilogue/coordinate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Gives complete sums to the epilogue and keeps the results for the store. A lane has two
/// neighbouring columns of each of two slots.
///
/// @tparam Pairs Rows of results have even lengths and begin at even addresses.
template <typename T, typename Epilogue, bool Pairs>
struct toeplitz_retire {
  /// One of the lane's two slots.
  struct half {
    output_coordinate at;  ///< Of its next row, the lane's first column.
    T* kept;               ///< Where that result is kept.
    int rows;              ///< None where there are no such outputs.
    int columns;           ///< Of the lane's two that there are.
  };

  half slot[2];
  int kept_pitch;
  int output_width;
  Epilogue const& epilogue;

  /// Takes rows in their order.
  __device__ void operator()(mma_sums const& sums, int row)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      half& h = slot[s];
      if (row < h.rows) { keep(h, sums.r[2 * s], sums.r[2 * s + 1]); }
      h.kept += kept_pitch;
      ++h.at.row;
      h.at.offset += output_width;
    }
  }

 private:
  __device__ void keep(half const& h, float first, float second) const
  {
    output_coordinate next = h.at;
    ++next.column;
    ++next.offset;
    if constexpr (Pairs) {
      store_pair(h.kept, pair_from_sums<T>(epilogue(first, h.at), epilogue(second, next)));
    } else {
      h.kept[0] = from_sum<T>(epilogue(first, h.at));
      if (h.columns > 1) { h.kept[1] = from_sum<T>(epilogue(second, next)); }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
