// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/slots.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// The banded matrices of a small filter in registers: of the row `kh` and the chunk `c`, B[k][j]
/// is w[kh][16 * c + k - stride * j - lead - early], with `early` of each of Kinds rows of windows.
/// Of a dilated filter w has zeros between taps.
///
/// @tparam Dilates Filters may be dilated.
template <typename T, int FilterHeight, int Chunks, int Kinds, bool Dilates>
class toeplitz_held_filter {
 public:
  using divisor = fast_divisor<std::int32_t>;

  /// Reads it from memory, where its rows lie `width` apart.
  ///
  /// @param apart Columns of x from one tap to the next.
  __device__ void take(T const* filter, int width, divisor const& apart, int stride, int lead,
                       toeplitz_early const& early, bool turned)
  {
    if (Dilates && apart.divisor() > 1) {
      take_apart(filter, width, apart, stride, lead, early, turned);
    } else if (turned) {
      take_rows<-1>(filter + (FilterHeight * width - 1), width, stride, lead, early);
    } else {
      take_rows<1>(filter, width, stride, lead, early);
    }
  }

  /// For the windows of row `row` of a walk.
  [[nodiscard]] __device__ mma_right const& at(int row, int kh, int c) const
  {
    return rows_[row % Kinds][kh][c];
  }

 private:
  /// From one tap to the next it is `Step` elements.
  template <int Step>
  __device__ void take_rows(T const* filter, int width, int stride, int lead,
                            toeplitz_early const& early)
  {
    int const first = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead;
    T const* row    = filter + Step * first;
#pragma unroll
    for (int kh = 0; kh < FilterHeight; ++kh, row += Step * width) {
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
        int const k     = i * toeplitz_depth / 2;
        T const here    = tap(row + Step * k, first + k, width);
        auto const word = pair_of(here, tap(row + Step * (k + 1), first + k + 1, width));
        if constexpr (Kinds == 1) {
          rows_[0][kh][i / 2].r[i % 2] = word;
        } else {
          auto const before = pair_of(tap(row + Step * (k - 1), first + k - 1, width), here);
#pragma unroll
          for (int r = 0; r < Kinds; ++r) {
            rows_[r][kh][i / 2].r[i % 2] = early.row[r] != 0 ? before : word;
          }
        }
      }
    }
  }

  __device__ void take_apart(T const* filter, int width, divisor const& apart, int stride, int lead,
                             toeplitz_early const& early, bool turned)
  {
    int const first     = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead;
    int const step      = turned ? -1 : 1;
    T const* const rows = turned ? filter + (FilterHeight * width - 1) : filter;
    // Behind the last tap where there is none.
    auto const column_of = [&](int k) {
      int const column = max(first + k, 0);
      int const tap    = apart.quotient(column);
      return first + k < 0 || tap * apart.divisor() != column ? width : tap;
    };
#pragma unroll
    for (int i = 0; i < 2 * Chunks; ++i) {
      int const k       = i * toeplitz_depth / 2;
      int const columns[3] = {Kinds > 1 ? column_of(k - 1) : width, column_of(k), column_of(k + 1)};
#pragma unroll
      for (int kh = 0; kh < FilterHeight; ++kh) {
        T taps[3];
#pragma unroll
        for (int n = Kinds > 1 ? 0 : 1; n < 3; ++n) {
          taps[n] = tap(rows + step * (kh * width + columns[n]), columns[n], width);
        }
#pragma unroll
        for (int r = 0; r < Kinds; ++r) {
          bool const before            = Kinds > 1 && early.row[r] != 0;
          rows_[r][kh][i / 2].r[i % 2] = before ? pair_of(taps[0], taps[1]) : pair_of(taps[1], taps[2]);
        }
      }
    }
  }

  [[nodiscard]] static __device__ T tap(T const* address, int column, int width)
  {
    return static_cast<unsigned>(column) < static_cast<unsigned>(width) ? load_read_only(address)
                                                                        : from_sum<T>(0.0f);
  }

  mma_right rows_[Kinds][FilterHeight][Chunks];
};

DWCONV_ABI_NAMESPACE_END
