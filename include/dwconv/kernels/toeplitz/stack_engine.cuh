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
template <typename T, int Halves>
class toeplitz_stack_engine {
 public:
  /// Matrix products along a row of the filter; the last may be of half the depth.
  static constexpr int chunks = (Halves + 1) / 2;

  static constexpr int rows   = toeplitz_stack_rows;
  static constexpr int blocks = toeplitz_stack_blocks;

  /// Bit `block * chunks + c` of a mask: chunk c of that block's windows meets the image. Above
  /// them, bit h: so do the halves h and h + 1 as a part of some window.
  [[nodiscard]] static __device__ unsigned products_of(int first_half, int halves, int blocks_left)
  {
    unsigned products = 0;
#pragma unroll
    for (int b = 0; b < blocks; ++b) {
#pragma unroll
      for (int c = 0; c < chunks; ++c) {
        int const h = first_half + b + 2 * c;
        if (b < blocks_left && h + 1 >= 0 && h < halves) {
          products |= 1u << (b * chunks + c) | 1u << (pair_bits + b + 2 * c);
        }
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
        for (int c = 0; c < chunks; ++c) { held_[r][c] = held_[r - 1][c]; }
      }
      take(held_[0], w, row, filter_height);
      // Near the filter's ends some filter rows in registers are none: zeros.
      if (row < middle) {
        multiply_row<0, middle>(x, products);
      } else if (row - middle >= filter_height - 1) {
        multiply_row<middle, rows>(x, products);
      } else {
        multiply_row<0, rows>(x, products);
      }
    }
  }

  [[nodiscard]] __device__ mma_sums const& sums(int row, int block) const
  {
    return sums_[row][block];
  }

 private:
  /// Pairs of halves that begin at every second half, and that an item's windows are made of.
  static constexpr int pairs = blocks / 2 - 1 + chunks;

  static constexpr int pair_bits = blocks * chunks;

  static __device__ void take(mma_right (&row)[chunks], toeplitz_band<T> const& w, int kh,
                              int filter_height)
  {
#pragma unroll
    for (int c = 0; c < chunks; ++c) {
      row[c] = mma_right{};
      if (kh >= 0 && kh < filter_height) { row[c] = w.at(kh, c); }
    }
  }

  /// Rows of sums of which those before, or from here on, may meet no filter row.
  static constexpr int middle = (rows + 1) / 2;

  /// The row of x with the rows of the filter that it meets for rows of sums from First to Last.
  template <int First, int Last>
  __device__ void multiply_row(toeplitz_stack_rows_of_x<T> const& x, unsigned products)
  {
    // Windows of even blocks are pairs that begin at even halves, of odd blocks at odd ones.
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      mma_left windows[pairs];
#pragma unroll
      for (int q = 0; q < pairs; ++q) {
        windows[q] = mma_left{};
        if ((products >> (pair_bits + 2 * q + odd) & 1u) != 0) { windows[q] = x.pair(2 * q + odd); }
      }
#pragma unroll
      for (int b = odd; b < blocks; b += 2) {
#pragma unroll
        for (int c = 0; c < chunks; ++c) {
          if ((products >> (b * chunks + c) & 1u) != 0) {
#pragma unroll
            for (int r = First; r < Last; ++r) {
              if constexpr (Halves % 2 == 1) {
                if (c == chunks - 1) {
                  mma_m16n8k8<T>(sums_[r][b], windows[b / 2 + c], held_[r][c]);
                  continue;
                }
              }
              mma_m16n8k16<T>(sums_[r][b], windows[b / 2 + c], held_[r][c]);
            }
          }
        }
      }
    }
  }

  mma_sums sums_[rows][blocks];
  mma_right held_[rows][chunks];
};

DWCONV_ABI_NAMESPACE_END
