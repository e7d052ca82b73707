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

/// Copies `count` elements of filters, of `size` each, to shared memory as they are or turned by
/// 180 degrees; the whole block takes part.
template <typename T>
__device__ void stage_filters(T* staged, T const* filters, int count, int size, bool turned)
{
  // On their way together: one by one, each would wait for memory.
  constexpr int at_once = 12;
  int const threads     = static_cast<int>(blockDim.x);
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < count; i += at_once * threads) {
    T taps[at_once];
#pragma unroll
    for (int u = 0; u < at_once; ++u) {
      taps[u] = load_read_only(filters + min(i + u * threads, count - 1));
    }
#pragma unroll
    for (int u = 0; u < at_once; ++u) {
      int const tap = i + u * threads;
      if (tap < count) { staged[turned ? tap + size - 1 - 2 * (tap % size) : tap] = taps[u]; }
    }
  }
}

/// Writes `count` filter rows, contiguous at `staged`, to `area` as `toeplitz_filter_rows` says;
/// the whole block takes part, a warp a row.
template <typename T>
__device__ void extend_filter_rows(T* area, T const* staged, int count, int width,
                                   toeplitz_filter_rows const& rows)
{
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
  for (int w = lane_index(); w < 2 * rows.words; w += warp_lanes) {
    int const copy  = w >= rows.words ? 1 : 0;
    int const word  = w - copy * rows.words;
    int const first = 2 * word + copy - rows.zeros;
    bool const low  = first >= 0 && first < width;
    bool const high = first + 1 >= 0 && first + 1 < width;
#pragma unroll 4
    for (int r = warp_index(); r < count; r += warps) {
      T const* const taps = staged + (r * width + first);
      store_pair(area + 2 * ((2 * r + copy) * rows.pitch + word),
                 pair_of(low ? taps[0] : from_sum<T>(0.0f), high ? taps[1] : from_sum<T>(0.0f)));
    }
  }
}

/// Reads the banded matrices of one filter: of the row `kh` and the chunk `c`, B[k][j] is
/// w[kh][16 * c + k - stride * j - lead].
template <typename T>
class toeplitz_band {
 public:
  struct raw {};  ///< Its taps are in shared memory.

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
