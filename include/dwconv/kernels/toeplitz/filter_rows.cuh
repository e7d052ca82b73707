// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Writes `count` filter rows, contiguous at `filter`, into shared memory as `toeplitz_filter_rows`
/// says; the whole block takes part, a warp a row. Filters of `height` rows may be turned by 180
/// degrees.
template <typename T>
__device__ void extend_filter_rows(T* area, T const* filter, int count, int height, int width,
                                   bool turned, toeplitz_filter_rows const& rows)
{
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
  for (int r = warp_index(); r < count; r += warps) {
    int const from     = turned ? r + height - 1 - 2 * (r % height) : r;
    T const* const row = filter + static_cast<std::int64_t>(from) * width;
    auto const tap     = [&](int t) {
      int const at = turned ? width - 1 - t : t;
      return t >= 0 && t < width ? load_read_only(row + at) : from_sum<T>(0.0f);
    };
    for (int w = lane_index(); w < 2 * rows.pitch; w += warp_lanes) {
      int const copy  = w >= rows.pitch ? 1 : 0;
      int const first = 2 * (w - copy * rows.pitch) + copy - rows.zeros;
      store_pair(area + 2 * (r * 2 * rows.pitch + w), pair_of(tap(first), tap(first + 1)));
    }
  }
}

/// Reads the banded matrices of one filter: of the row `kh` and the chunk `c`, B[k][j] is
/// w[kh][16 * c + k - stride * j - lead].
template <typename T>
class toeplitz_band {
 public:
  /// `filter` is where the filter's first row was extended.
  __device__ void take(T const* filter, toeplitz_filter_rows const& rows, int stride, int lead)
  {
    int const first = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead + rows.zeros;
    lane_           = filter + (first % 2 == 0 ? first : 2 * rows.pitch + first - 1);
    pitch_          = 4 * rows.pitch;
  }

  [[nodiscard]] __device__ mma_right at(int kh, int c) const
  {
    T const* const row = lane_ + kh * pitch_ + toeplitz_depth * c;
    return {{load_pair(row), load_pair(row + toeplitz_depth / 2)}};
  }

 private:
  T const* lane_;
  int pitch_;
};

DWCONV_ABI_NAMESPACE_END
