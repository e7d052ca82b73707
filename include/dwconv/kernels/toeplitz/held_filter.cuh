// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/tile.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The banded matrices of a small filter in registers: of the row `kh` and the chunk `c`, B[k][j]
/// is w[kh][16 * c + k - stride * j - lead].
template <typename T, int FilterHeight, int Chunks>
class toeplitz_held_filter {
 public:
  /// Reads it from memory, where its rows lie `width` apart.
  __device__ void take(T const* filter, int width, int stride, int lead, bool turned)
  {
    if (turned) {
      take_rows<-1>(filter + (FilterHeight * width - 1), width, stride, lead);
    } else {
      take_rows<1>(filter, width, stride, lead);
    }
  }

  [[nodiscard]] __device__ mma_right const& at(int kh, int c) const
  {
    return rows_[kh][c];
  }

 private:
  /// From one tap to the next it is `Step` elements.
  template <int Step>
  __device__ void take_rows(T const* filter, int width, int stride, int lead)
  {
    int const first = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead;
    T const* row    = filter + Step * first;
#pragma unroll
    for (int kh = 0; kh < FilterHeight; ++kh, row += Step * width) {
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
        int const k               = i * toeplitz_depth / 2;
        rows_[kh][i / 2].r[i % 2] = pair_of(tap(row + Step * k, first + k, width),
                                            tap(row + Step * (k + 1), first + k + 1, width));
      }
    }
  }

  [[nodiscard]] static __device__ T tap(T const* address, int column, int width)
  {
    return static_cast<unsigned>(column) < static_cast<unsigned>(width) ? load_read_only(address)
                                                                        : from_sum<T>(0.0f);
  }

  mma_right rows_[FilterHeight][Chunks];
};

DWCONV_ABI_NAMESPACE_END
