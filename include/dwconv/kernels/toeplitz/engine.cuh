// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/mma.cuh>
#include <dwconv/kernels/toeplitz/filter_rows.cuh>
#include <dwconv/kernels/toeplitz/slots.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// The rows of x that at least one of a warp's slots has staged, counted from the first row that
/// the slots' first outputs see: the others are skipped.
struct toeplitz_span {
  int first;
  int end;
};

/// Small filters: the whole filter in registers, the walk unrolled. Each row of windows is read
/// once, and multiplied into every row of sums it touches; a row of sums is given to `retire` as
/// soon as it is complete.
template <typename T, int FilterHeight, int Stride, int Chunks, int Rows>
class held_filter_engine {
 public:
  template <bool Realign, typename Retire>
  __device__ static void walk(toeplitz_windows<T, Chunks, Realign> const& windows,
                              toeplitz_band<T> const& band, int, int, toeplitz_span, Retire& retire)
  {
    mma_right filter[FilterHeight][Chunks];
#pragma unroll
    for (int kh = 0; kh < FilterHeight; ++kh) {
#pragma unroll
      for (int c = 0; c < Chunks; ++c) { filter[kh][c] = band.at(kh, c); }
    }
    mma_sums sums[Rows] = {};
#pragma unroll
    for (int row = 0; row < (Rows - 1) * Stride + FilterHeight; ++row) {
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = windows.at(row, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          int const kh = row - r * Stride;
          if (kh >= 0 && kh < FilterHeight) { mma_m16n8k16<T>(sums[r], x, filter[kh][c]); }
        }
      }
      int const complete = row - (FilterHeight - 1);
      if (complete >= 0 && complete % Stride == 0) {
        retire(sums[complete / Stride], complete / Stride);
      }
    }
  }
};

/// Large filters at stride 1: as many filter rows in registers as there are rows of sums, which
/// take turns; each step reads one row of windows and one of the filter.
template <typename T, int Chunks, int Rows>
class sliding_filter_engine {
 public:
  template <bool Realign, typename Retire>
  __device__ static void walk(toeplitz_windows<T, Chunks, Realign>& windows,
                              toeplitz_band<T> const& band, int filter_height, int,
                              toeplitz_span span, Retire& retire)
  {
    mma_right filter[Rows][Chunks];
    mma_sums sums[Rows] = {};
#pragma unroll
    for (int r = 1; r < Rows; ++r) { take(filter[Rows - r], band, span.first - r, filter_height); }
    windows.descend(span.first);
    for (int row = span.first; row < span.end; row += Rows) {
      // Away from the filter's ends every filter row in registers is one.
      if (row >= Rows - 1 && row + Rows <= filter_height && row + Rows <= span.end) {
        turn<false>(windows, band, filter_height, row, span.end, filter, sums);
      } else {
        turn<true>(windows, band, filter_height, row, span.end, filter, sums);
      }
      windows.descend(Rows);
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) { retire(sums[r], r); }
  }

 private:
  static __device__ void take(mma_right (&row)[Chunks], toeplitz_band<T> const& band, int kh,
                              int filter_height)
  {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      row[c] = mma_right{};
      if (kh >= 0 && kh < filter_height) { row[c] = band.at(kh, c); }
    }
  }

  /// `Rows` steps, after which every filter row's registers have the role they began with.
  template <bool Checked, bool Realign>
  static __device__ void turn(toeplitz_windows<T, Chunks, Realign> const& windows,
                              toeplitz_band<T> const& band, int filter_height, int row, int end,
                              mma_right (&filter)[Rows][Chunks], mma_sums (&sums)[Rows])
  {
#pragma unroll
    for (int u = 0; u < Rows; ++u) {
      if (Checked && row + u >= end) { break; }
      if constexpr (Checked) {
        take(filter[u], band, row + u, filter_height);
      } else {
#pragma unroll
        for (int c = 0; c < Chunks; ++c) { filter[u][c] = band.at(row + u, c); }
      }
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = windows.at(u, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          int const kh = row + u - r;
          if (!Checked || (kh >= 0 && kh < filter_height)) {
            mma_m16n8k16<T>(sums[r], x, filter[(u - r + Rows) % Rows][c]);
          }
        }
      }
    }
  }
};

/// Any filter and stride: filter rows are read from shared memory as they are met.
template <typename T, int Chunks, int Rows>
class read_filter_engine {
 public:
  template <bool Realign, typename Retire>
  __device__ static void walk(toeplitz_windows<T, Chunks, Realign>& windows,
                              toeplitz_band<T> const& band, int filter_height, int stride,
                              toeplitz_span span, Retire& retire)
  {
    mma_sums sums[Rows] = {};
    windows.descend(span.first);
    for (int row = span.first; row < span.end; ++row) {
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = windows.at(0, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          int const kh = row - r * stride;
          if (kh >= 0 && kh < filter_height) { mma_m16n8k16<T>(sums[r], x, band.at(kh, c)); }
        }
      }
      windows.descend(1);
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) { retire(sums[r], r); }
  }
};

DWCONV_ABI_NAMESPACE_END
