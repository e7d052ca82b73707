// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/kernels/any_filter/engine.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// The sums of some neighbouring taps of one thread. It walks down rows of x and multiplies each,
/// read once, by `Chunk` neighbouring elements of all rows of dy that meet it in one of these taps.
template <typename Sum, int Rows, int Columns, int Chunk>
class any_filter_gradient_engine {
 public:
  static constexpr unsigned all_rows = (1u << Rows) - 1;

  Sum sums[Rows][Columns];

  __device__ void clear()
  {
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) { sums[i][v] = Sum(0); }
    }
  }

  /// Rows `row` to `end` - 1: row u of x meets row u - i of dy, of `height`, in row i of taps.
  ///
  /// `x` is row `row`, at the element that the first of the taps meets with the chunk's first, `dy`
  /// that row of the chunk; need not exist. `wanted` has a bit for each row of taps that there is.
  __device__ void walk(Sum const* x, int x_pitch, Sum const* dy, int row, int end, int height,
                       unsigned wanted)
  {
#pragma unroll 1
    for (; row < end; ++row) {
      unsigned const begun = row < Rows ? all_rows >> (Rows - 1 - row) : all_rows;
      int const over       = row - height + 1;
      unsigned const met   = over > 0 ? begun & (all_rows << over) : begun;
      add_row(x, dy, met & wanted);
      x += x_pitch;
      dy += Chunk;
    }
  }

 private:
  static constexpr int quad = 4;
  static_assert(Columns % quad == 0 && Chunk % quad == 0);

  __device__ void add_row(Sum const* x, Sum const* dy, unsigned met)
  {
    any_filter_quad<Sum> value[(Columns + Chunk) / quad];
#pragma unroll
    for (int q = 0; q < (Columns + Chunk) / quad; ++q) {
      value[q] = *reinterpret_cast<any_filter_quad<Sum> const*>(x + q * quad);
    }
    if (met == all_rows) {
#pragma unroll
      for (int i = 0; i < Rows; ++i) { add_to(sums[i], value, dy - i * Chunk); }
    } else {
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        if ((met >> i & 1) != 0) { add_to(sums[i], value, dy - i * Chunk); }
      }
    }
  }

  template <int Quads>
  static __device__ void add_to(Sum (&row)[Columns], any_filter_quad<Sum> const (&value)[Quads],
                                Sum const* dy)
  {
    any_filter_quad<Sum> own[Chunk / quad];
#pragma unroll
    for (int q = 0; q < Chunk / quad; ++q) {
      own[q] = *reinterpret_cast<any_filter_quad<Sum> const*>(dy + q * quad);
    }
#pragma unroll
    for (int k = 0; k < Chunk; ++k) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) {
        row[v] = multiply_add(value[(v + k) / quad].taps[(v + k) % quad],
                              own[k / quad].taps[k % quad], row[v]);
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
