// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include <dwconv/device/mma.cuh>
#include <dwconv/kernels/toeplitz/filter_rows.cuh>
#include <dwconv/kernels/toeplitz/held_filter.cuh>
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
///
/// @tparam Begin Where rows of windows begin.
template <typename T, int FilterHeight, int Stride, int Chunks, int Rows, toeplitz_rows_begin Begin>
class held_filter_engine {
 public:
  static constexpr bool extends_filter = false;
  static constexpr auto reads          = Begin == toeplitz_rows_begin::even ? toeplitz_reads::words
                                                                            : toeplitz_reads::in_turn;
  using windows                        = toeplitz_windows<T, Chunks, reads>;
  using filter = toeplitz_held_filter<T, FilterHeight, Chunks, windows::kinds>;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int, int, toeplitz_span span,
                              Retire& retire)
  {
    // A bit a row.
    unsigned const met =
      (~0u << min(span.first, rows_met)) & ~(~0u << min(max(span.end, 0), rows_met));
    mma_sums sums[Rows] = {};
    mma_left x[Chunks], next[Chunks];
    take(x, x_rows, 0);
    auto const step = [&]<int Row>(std::integral_constant<int, Row>) {
      x_rows.step();
      if constexpr (Row + 1 < rows_met) { take(next, x_rows, Row + 1); }
      // Saves rows in the padding; and it keeps the compiler from adding up one row of sums after
      // the other, each a chain of dependent products.
      if ((met >> Row & 1u) != 0) { multiply<Row>(sums, x, w); }
      constexpr int complete = Row - (FilterHeight - 1);
      if constexpr (complete >= 0 && complete % Stride == 0) {
        retire(sums[complete / Stride], complete / Stride);
      }
#pragma unroll
      for (int c = 0; c < Chunks; ++c) { x[c] = next[c]; }
    };
    // A pragma does not unroll a loop of this size.
    [&]<int... Row>(std::integer_sequence<int, Row...>)
    {
      (step(std::integral_constant<int, Row>{}), ...);
    }
    (std::make_integer_sequence<int, rows_met>{});
  }

 private:
  /// Rows of x that a slot's outputs see.
  static constexpr int rows_met = (Rows - 1) * Stride + FilterHeight;

  static __device__ void take(mma_left (&x)[Chunks], windows const& x_rows, int row)
  {
    static_assert(rows_met <= windows::most_ahead);
#pragma unroll
    for (int c = 0; c < Chunks; ++c) { x[c] = x_rows.at(row, c); }
  }

  template <int Row>
  static __device__ void multiply(mma_sums (&sums)[Rows], mma_left const (&x)[Chunks],
                                  filter const& w)
  {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        int const kh = Row - r * Stride;
        if (kh >= 0 && kh < FilterHeight) { mma_m16n8k16<T>(sums[r], x[c], w.at(Row, kh, c)); }
      }
    }
  }
};

/// How engines read rows that meet filter rows of either kind of windows at once.
[[nodiscard]] constexpr toeplitz_reads toeplitz_whole_rows(toeplitz_rows_begin begin) noexcept
{
  return begin == toeplitz_rows_begin::even ? toeplitz_reads::words : toeplitz_reads::realigned;
}

/// Large filters at stride 1: as many filter rows in registers as there are rows of sums, which
/// take turns; each step reads one row of windows and one of the filter.
template <typename T, int Chunks, int Rows, toeplitz_rows_begin Begin>
class sliding_filter_engine {
 public:
  static constexpr bool extends_filter = true;
  using windows                        = toeplitz_windows<T, Chunks, toeplitz_whole_rows(Begin)>;
  using filter                         = toeplitz_band<T>;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int filter_height, int,
                              toeplitz_span span, Retire& retire)
  {
    mma_right held[Rows][Chunks];
    mma_sums sums[Rows] = {};
#pragma unroll
    for (int r = 1; r < Rows; ++r) { take(held[Rows - r], w, span.first - r, filter_height); }
    x_rows.skip(span.first);
    for (int row = span.first; row < span.end; row += Rows) {
      // Away from the filter's ends every filter row in registers is one.
      if (row >= Rows - 1 && row + Rows <= filter_height && row + Rows <= span.end) {
        turn<false>(x_rows, w, filter_height, row, span.end, held, sums);
      } else {
        turn<true>(x_rows, w, filter_height, row, span.end, held, sums);
      }
      x_rows.settle(Rows);
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) { retire(sums[r], r); }
  }

 private:
  static __device__ void take(mma_right (&row)[Chunks], filter const& w, int kh, int filter_height)
  {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
      row[c] = mma_right{};
      if (kh >= 0 && kh < filter_height) { row[c] = w.at(kh, c); }
    }
  }

  /// `Rows` steps, after which every filter row's registers have the role they began with.
  template <bool Checked>
  static __device__ void turn(windows& x_rows, filter const& w, int filter_height, int row, int end,
                              mma_right (&held)[Rows][Chunks], mma_sums (&sums)[Rows])
  {
#pragma unroll
    for (int u = 0; u < Rows; ++u, x_rows.step()) {
      if (Checked && row + u >= end) { break; }
      if constexpr (Checked) {
        take(held[u], w, row + u, filter_height);
      } else {
#pragma unroll
        for (int c = 0; c < Chunks; ++c) { held[u][c] = w.at(row + u, c); }
      }
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = x_rows.at(u, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          int const kh = row + u - r;
          if (!Checked || (kh >= 0 && kh < filter_height)) {
            mma_m16n8k16<T>(sums[r], x, held[(u - r + Rows) % Rows][c]);
          }
        }
      }
    }
  }
};

/// Any filter and stride: filter rows are read from shared memory as they are met.
template <typename T, int Chunks, int Rows, toeplitz_rows_begin Begin>
struct read_filter_engine {
  static constexpr bool extends_filter = true;
  using windows                        = toeplitz_windows<T, Chunks, toeplitz_whole_rows(Begin)>;
  using filter                         = toeplitz_band<T>;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int filter_height, int stride,
                              toeplitz_span span, Retire& retire)
  {
    mma_sums sums[Rows] = {};
    x_rows.skip(span.first);
    for (int row = span.first; row < span.end; ++row) {
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = x_rows.at(0, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          int const kh = row - r * stride;
          if (kh >= 0 && kh < filter_height) { mma_m16n8k16<T>(sums[r], x, w.at(kh, c)); }
        }
      }
      x_rows.skip(1);
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) { retire(sums[r], r); }
  }
};

DWCONV_ABI_NAMESPACE_END
