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

/// Small filters: the whole filter in registers. Each row of windows is read once, and multiplied
/// into every row of sums it touches; a row of sums is given to `retire` as soon as it is complete,
/// and its registers are the next one's.
///
/// The walk is a loop of a few unrolled steps, after which each row of sums has the role it began
/// with.
///
/// @tparam Begin Where rows of windows begin.
template <typename T, int FilterHeight, int Stride, int Chunks, toeplitz_rows_begin Begin>
class held_filter_engine {
 public:
  static constexpr bool extends_filter = false;
  static constexpr int kinds           = Begin == toeplitz_rows_begin::any ? 2 : 1;
  /// Whether blocks of a walk may begin one column early instead of windows.
  static constexpr bool shifts = Begin == toeplitz_rows_begin::alike;
  /// Whether a filter is kept from one item to the next: walks are short and many where it is
  /// dilated that far, and matrices are many.
  static constexpr bool keeps = Stride == 1 && FilterHeight > 1 && (Chunks > 1 || shifts);
  /// Whether the filter may be dilated.
  static constexpr bool dilates = Stride == 1 && FilterHeight <= toeplitz_most_dilated_height;
  using windows                 = toeplitz_walk_windows<T, Chunks, kinds, dilates>;
  using filter                  = toeplitz_held_filter<T, FilterHeight, Chunks, kinds, dilates>;

  /// Rows of sums that are complete before a walk's first one.
  static constexpr int early_rows = (FilterHeight - 1) / Stride;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int, int, int rows,
                              toeplitz_span span, Retire& retire)
  {
    mma_sums sums[live] = {};
    mma_left x[Chunks];
    x_rows.template read<0>(x);
    int const end = (rows - 1) * Stride + FilterHeight;
#pragma unroll 1
    for (int row = 0; row < end; row += steps) {
      bool const all = [&]<int... Step>(std::integer_sequence<int, Step...>)
      {
        return (step<Step>(x_rows, w, row + Step, end, span, sums, x, retire) && ...);
      }
      (std::make_integer_sequence<int, steps>{});
      if (!all) { break; }
      x_rows.settle(steps);
    }
  }

 private:
  /// Rows of sums that a row of windows touches.
  static constexpr int live = (FilterHeight + Stride - 1) / Stride;

  /// A multiple of those that take turns, and, where windows begin differently, even.
  [[nodiscard]] static constexpr int steps_of_turns()
  {
    int count = live * Stride;
    while (count < 5 || count % kinds != 0) { count += live * Stride; }
    return count;
  }
  static constexpr int steps = steps_of_turns();

  /// Where most rows are on the image, a product with a row of zeros costs less than to ask.
  static constexpr bool skips = FilterHeight > 3;

  /// Returns whether there is a next step. `x` has the row's windows, and afterwards the next
  /// row's.
  template <int Step, typename Retire>
  static __device__ bool step(windows& x_rows, filter const& w, int row, int end,
                              toeplitz_span span, mma_sums (&sums)[live], mma_left (&x)[Chunks],
                              Retire& retire)
  {
    mma_left next[Chunks];
    x_rows.template step<Step>();
    x_rows.template read<Step + 1>(next);
    if (!skips || (row >= span.first && row < span.end)) { multiply<Step>(sums, x, w); }
    constexpr int complete = (Step + live * Stride - (FilterHeight - 1)) % (live * Stride);
    if constexpr (complete % Stride == 0) {
      retire(sums[complete / Stride]);
      sums[complete / Stride] = mma_sums{};
    }
#pragma unroll
    for (int c = 0; c < Chunks; ++c) { x[c] = next[c]; }
    // Asked now and then: a branch keeps the instructions of two steps apart.
    return Step % 2 == 0 || row + 1 < end;
  }

  template <int Step>
  static __device__ void multiply(mma_sums (&sums)[live], mma_left const (&x)[Chunks],
                                  filter const& w)
  {
#pragma unroll
    for (int c = 0; c < Chunks; ++c) {
#pragma unroll
      for (int r = 0; r < live; ++r) {
        int const kh = (Step + live * Stride - r * Stride) % (live * Stride);
        if (kh < FilterHeight) { mma_m16n8k16<T>(sums[r], x[c], w.at(Step, kh, c)); }
      }
    }
  }
};

/// Large filters at stride 1: as many filter rows in registers as there are rows of sums, which
/// take turns; each step reads one row of windows and one of the filter.
template <typename T, int Chunks, int Rows, toeplitz_rows_begin Begin>
class sliding_filter_engine {
 public:
  static constexpr int early_rows      = 0;
  static constexpr bool extends_filter = true;
  static constexpr bool dilates        = false;
  static constexpr bool shifts         = false;
  static constexpr bool keeps          = true;
  using windows = toeplitz_windows<T, Chunks, Begin == toeplitz_rows_begin::any>;
  using filter  = toeplitz_band<T>;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int filter_height, int, int,
                              toeplitz_span span, Retire& retire)
  {
    mma_right held[Rows][Chunks];
    mma_sums sums[Rows] = {};
#pragma unroll
    for (int r = 1; r < Rows; ++r) { take(held[r - 1], w, span.first - r, filter_height); }
    x_rows.skip(span.first);
    // Not unrolled, though filter rows in registers could take turns then instead of moving on: so
    // much code would wait for the instruction cache.
#pragma unroll 1
    for (int row = span.first; row < span.end; ++row) {
#pragma unroll
      for (int r = Rows - 1; r > 0; --r) {
#pragma unroll
        for (int c = 0; c < Chunks; ++c) { held[r][c] = held[r - 1][c]; }
      }
      take(held[0], w, row, filter_height);
#pragma unroll
      for (int c = 0; c < Chunks; ++c) {
        mma_left const x = x_rows.at(0, c);
#pragma unroll
        for (int r = 0; r < Rows; ++r) { mma_m16n8k16<T>(sums[r], x, held[r][c]); }
      }
      x_rows.skip(1);
    }
#pragma unroll
    for (int r = 0; r < Rows; ++r) { retire(sums[r]); }
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
};

/// Any filter and stride: filter rows are read from shared memory as they are met.
template <typename T, int Chunks, int Rows, toeplitz_rows_begin Begin>
struct read_filter_engine {
  static constexpr int early_rows      = 0;
  static constexpr bool extends_filter = true;
  static constexpr bool dilates        = false;
  static constexpr bool shifts         = false;
  static constexpr bool keeps          = true;
  using windows = toeplitz_windows<T, Chunks, Begin == toeplitz_rows_begin::any>;
  using filter  = toeplitz_band<T>;

  template <typename Retire>
  __device__ static void walk(windows& x_rows, filter const& w, int filter_height, int stride, int,
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
    for (int r = 0; r < Rows; ++r) { retire(sums[r]); }
  }
};

DWCONV_ABI_NAMESPACE_END
