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
template <typename T, typename Epilogue>
struct toeplitz_retire {
  /// One of the lane's two slots.
  struct half {
    output_coordinate first;  ///< Of its first row, the lane's first column.
    int kept;                 ///< Where that result is kept.
    int rows;                 ///< None where there is no such slot.
    int columns;              ///< Of the lane's two that there are.
  };

  half slot[2];
  T* kept;
  int kept_pitch;
  int output_width;
  bool pairs;  ///< Rows have even lengths and begin at even addresses.
  Epilogue const& epilogue;

  __device__ void operator()(mma_sums const& sums, int row) const
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      half const& h = slot[s];
      if (row >= h.rows || h.columns <= 0) { continue; }
      T* const to             = kept + (h.kept + row * kept_pitch);
      output_coordinate first = h.first;
      first.row += row;
      first.offset += static_cast<std::int64_t>(row) * output_width;
      output_coordinate second = first;
      ++second.column;
      ++second.offset;
      if (pairs) {
        store_pair(to, pair_from_sums<T>(epilogue(sums.r[2 * s], first),
                                         epilogue(sums.r[2 * s + 1], second)));
      } else {
        to[0] = from_sum<T>(epilogue(sums.r[2 * s], first));
        if (h.columns > 1) { to[1] = from_sum<T>(epilogue(sums.r[2 * s + 1], second)); }
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
