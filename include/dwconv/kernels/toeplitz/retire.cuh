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
    int rows[2];           ///< Of either column; none where there are no such outputs.
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
      half& h                = slot[s];
      output_coordinate next = h.at;
      ++next.column;
      ++next.offset;
      if constexpr (Pairs) {
        if (row < h.rows[0]) {
          store_pair(h.kept, pair_from_sums<T>(epilogue(sums.r[2 * s], h.at),
                                               epilogue(sums.r[2 * s + 1], next)));
        }
      } else {
        if (row < h.rows[0]) { h.kept[0] = from_sum<T>(epilogue(sums.r[2 * s], h.at)); }
        if (row < h.rows[1]) { h.kept[1] = from_sum<T>(epilogue(sums.r[2 * s + 1], next)); }
      }
      h.kept += kept_pitch;
      ++h.at.row;
      h.at.offset += output_width;
    }
  }
};

DWCONV_ABI_NAMESPACE_END
