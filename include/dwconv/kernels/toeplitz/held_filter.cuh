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

  /// Taps of an output column, as they come: where windows begin early, with that before each pair.
  static constexpr int first_tap = Kinds > 1 ? -1 : 0;
  static constexpr int taps      = 2 - first_tap;
  /// As many of a lane.
  struct raw {
    T tap[FilterHeight][2 * Chunks][taps];
  };

  /// Whether there are registers for them beside what a walk begins with.
  static constexpr bool overlaps = FilterHeight * Chunks < 10 && FilterHeight * Chunks * taps <= 30;

  /// Reads a filter's taps from memory, where its rows lie `width` apart. What follows, up to
  /// `take`, is done while they are on their way. Columns of x from one tap to the next: `apart`.
  static __device__ void fetch(raw& to, T const* filter, int width, divisor const& apart,
                               int stride, int lead, bool turned)
  {
    T const* const last = filter + (FilterHeight * width - 1);
    if (Dilates && apart.divisor() > 1) {
      fetch_apart(to, turned ? last : filter, width, apart, stride, lead, turned ? -1 : 1);
    } else if (turned) {
      fetch_rows<-1>(to, last, width, stride, lead);
    } else {
      fetch_rows<1>(to, filter, width, stride, lead);
    }
  }

  /// Makes matrices of them.
  __device__ void take(raw const& from, toeplitz_early const& early)
  {
#pragma unroll
    for (int kh = 0; kh < FilterHeight; ++kh) {
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
        T const* const tap = from.tap[kh][i];
        auto const here    = pair_of(tap[taps - 2], tap[taps - 1]);
        if constexpr (Kinds == 1) {
          rows_[0][kh][i / 2].r[i % 2] = here;
        } else {
          auto const before = pair_of(tap[0], tap[1]);
#pragma unroll
          for (int r = 0; r < Kinds; ++r) {
            rows_[r][kh][i / 2].r[i % 2] = early.row[r] != 0 ? before : here;
          }
        }
      }
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
  static __device__ void fetch_rows(raw& to, T const* filter, int width, int stride, int lead)
  {
    int const first = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead;
    T const* row    = filter + Step * first;
#pragma unroll
    for (int kh = 0; kh < FilterHeight; ++kh, row += Step * width) {
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
#pragma unroll
        for (int n = 0; n < taps; ++n) {
          int const k      = i * toeplitz_depth / 2 + first_tap + n;
          to.tap[kh][i][n] = tap(row + Step * k, first + k, width);
        }
      }
    }
  }

  static __device__ void fetch_apart(raw& to, T const* filter, int width, divisor const& apart,
                                     int stride, int lead, int step)
  {
    int const first = 2 * (lane_index() % 4) - stride * (lane_index() / 4) - lead;
#pragma unroll
    for (int i = 0; i < 2 * Chunks; ++i) {
#pragma unroll
      for (int n = 0; n < taps; ++n) {
        int const k       = first + i * toeplitz_depth / 2 + first_tap + n;
        int const nearest = apart.quotient(max(k, 0));
        int const column  = nearest * apart.divisor() == k ? nearest : width;
#pragma unroll
        for (int kh = 0; kh < FilterHeight; ++kh) {
          to.tap[kh][i][n] = tap(filter + step * (kh * width + column), column, width);
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
