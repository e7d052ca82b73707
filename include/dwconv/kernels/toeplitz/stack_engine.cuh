// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/mma.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/engine.cuh>
#include <dwconv/kernels/toeplitz/filter_rows.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Where a lane reads the rows of x that are stacked into a matrix: lanes 0 to 15 the first half of
/// a pair of each slot, lanes 16 to 31 the second.
template <typename T>
struct toeplitz_stack_rows_of_x {
  T const* line;   ///< Its slot's current row, the half under the item's first window.
  T const* zeros;  ///< Read instead of what is not on the image.
  int pitch;
  int row;          ///< Current, among the staged ones.
  int rows;         ///< Staged; none where there is no such slot.
  unsigned halves;  ///< Bit h: half h, counted from the lane's first, is staged.

  __device__ void skip(int count)
  {
    line += count * pitch;
    row += count;
  }

  /// Halves `first` and `first + 1` of the current rows.
  [[nodiscard]] __device__ mma_left pair(int first) const
  {
    bool const there =
      static_cast<unsigned>(row) < static_cast<unsigned>(rows) && (halves >> first & 1u) != 0;
    mma_left x;
    load_matrices(x.r, there ? line + first * toeplitz_stack::half : zeros);
    return x;
  }
};

/// The outputs of an item: some rows of some blocks, of 16 slots.
template <typename T, int Chunks>
class toeplitz_stack_engine {
 public:
  static constexpr int rows   = toeplitz_stack_rows;
  static constexpr int blocks = toeplitz_stack_blocks;

  /// Bit `block * Chunks + c` of a mask: chunk c of that block's windows meets the image.
  [[nodiscard]] static __device__ unsigned products_of(int first_half, int halves, int blocks_left)
  {
    unsigned products = 0;
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        int const h = first_half + b + 2 * c;
        if (b < blocks_left && h + 1 >= 0 && h < halves) { products |= 1u << (b * Chunks + c); }
      }
    }
    return products;
  }

  __device__ void walk(toeplitz_stack_rows_of_x<T>& x, toeplitz_band<T> const& w, int filter_height,
                       toeplitz_span span, unsigned products)
  {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
#pragma unroll
      for (int b = 0; b < blocks; ++b) { sums_[r][b] = mma_sums{}; }
    }
#pragma unroll
    for (int r = 1; r < rows; ++r) { take(held_[r - 1], w, span.first - r, filter_height); }
    x.skip(span.first);
    // Not unrolled, though filter rows in registers could take turns then instead of moving on: so
    // much code would wait for the instruction cache.
#pragma unroll 1
    for (int row = span.first; row < span.end; ++row, x.skip(1)) {
#pragma unroll
      for (int r = rows - 1; r > 0; --r) {
#pragma unroll
        for (int c = 0; c < Chunks; ++c) { held_[r][c] = held_[r - 1][c]; }
      }
      take(held_[0], w, row, filter_height);
      // Away from the filter's ends every filter row in registers is one.
      if (row >= rows - 1 && row < filter_height) {
        multiply_row<false>(x, row, filter_height, products);
      } else {
        multiply_row<true>(x, row, filter_height, products);
      }
    }
  }

  [[nodiscard]] __device__ mma_sums const& sums(int row, int block) const
  {
    return sums_[row][block];
  }

 private:
  /// Pairs of halves that begin at every second half, and that an item's windows are made of.
  static constexpr int pairs = blocks / 2 - 1 + Chunks;

  static __device__ void take(mma_right (&row)[Chunks], toeplitz_band<T> const& w, int kh,
                              int filter_height)
  {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      row[c] = mma_right{};
      if (kh >= 0 && kh < filter_height) { row[c] = w.at(kh, c); }
    }
  }

  /// The row of x with every row of the filter that it meets.
  template <bool Checked>
  __device__ void multiply_row(toeplitz_stack_rows_of_x<T> const& x, int row, int filter_height,
                               unsigned products)
  {
    // Windows of even blocks are pairs that begin at even halves, of odd blocks at odd ones.
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      mma_left windows[pairs];
#pragma unroll
      for (int q = 0; q < pairs; ++q) { windows[q] = x.pair(2 * q + odd); }
#pragma unroll
      for (int b = odd; b < blocks; b += 2) {
#pragma unroll
        for (int c = 0; c < Chunks; ++c) {
          if ((products >> (b * Chunks + c) & 1u) != 0) {
            multiply<Checked>(windows[b / 2 + c], row, b, c, filter_height);
          }
        }
      }
    }
  }

  template <bool Checked>
  __device__ void multiply(mma_left const& windows, int row, int b, int c, int filter_height)
  {
#pragma unroll
    for (int r = 0; r < rows; ++r) {
      int const kh = row - r;
      if (!Checked || (kh >= 0 && kh < filter_height)) {
        mma_m16n8k16<T>(sums_[r][b], windows, held_[r][c]);
      }
    }
  }

  mma_sums sums_[rows][blocks];
  mma_right held_[rows][Chunks];
};

DWCONV_ABI_NAMESPACE_END
