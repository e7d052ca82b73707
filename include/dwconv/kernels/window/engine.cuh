// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Which outputs of a tile one thread computes: some neighbouring columns of some neighbouring rows
/// of a plane.
struct window_piece {
  int plane;   ///< Of the tile's planes of y.
  int row;     ///< First, counted from the tile's first.
  int rows;    ///< None where the piece lies outside a tile that is cut short.
  int column;  ///< First, counted from the tile's first.
  int columns;

  template <typename Params>
  [[nodiscard]] static __device__ window_piece of(Params const& p, tile_position const& tile,
                                                  int thread, int columns_per_thread)
  {
    int const line  = p.across.quotient(thread);
    int const plane = p.down.quotient(line);
    window_piece piece;
    piece.column  = (thread - line * p.across.divisor()) * columns_per_thread;
    piece.row     = (line - plane * p.down.divisor()) * p.rows_per_thread;
    piece.rows    = plane < tile.planes ? min(p.rows_per_thread, tile.rows - piece.row) : 0;
    piece.columns = min(columns_per_thread, tile.columns - piece.column);
    piece.plane   = min(plane, tile.planes - 1);
    if (piece.columns <= 0) { piece.rows = 0; }
    return piece;
  }
};

/// What the engines keep of a thread's columns: the filter, and which input columns are on the
/// image.
template <typename Config>
class window_columns_state {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int filter_height = static_cast<int>(Config::taps.height);
  static constexpr int filter_width  = static_cast<int>(Config::taps.width);
  static constexpr int stride_height = static_cast<int>(Config::stride.height);
  static constexpr int stride_width  = static_cast<int>(Config::stride.width);
  static constexpr int columns       = Config::columns_per_thread;
  static constexpr int live          = (filter_height + stride_height - 1) / stride_height;
  static constexpr int reach =
    static_cast<int>(window_reach(columns, stride_width, filter_width));  ///< Input columns.

  /// Tells it which columns it has.
  __device__ void place(int first_input_column, int input_width)
  {
#pragma unroll
    for (int c = 0; c < reach; ++c) {
      int const column = first_input_column + c;
      on_image_[c]     = opaque(column >= 0 && column < input_width ? ~0u : 0u);
    }
  }

  /// Takes the filter from memory,
  __device__ void load_filter(T const* filter, bool turned)
  {
    if (turned) {
      take_filter<-1>(filter + (filter_height * filter_width - 1));
    } else {
      take_filter<1>(filter);
    }
  }

  /// or from shared memory.
  __device__ void read_filter(T const* filter, bool turned)
  {
    int const step = turned ? -1 : 1;
    T const* tap   = turned ? filter + (filter_height * filter_width - 1) : filter;
#pragma unroll
    for (int t = 0; t < filter_height * filter_width; ++t, tap += step) {
      filter_[t] = to_sum(*tap);
    }
  }

 protected:
  /// Reads what is on the image; elements off it stay zero.
  __device__ void read(T const* row)
  {
#pragma unroll
    for (int c = 0; c < reach; ++c) { x_[c] = to_sum(keep_bits(row[c], on_image_[c])); }
  }

  sum filter_[filter_height * filter_width];
  sum x_[reach];

 private:
  unsigned on_image_[reach];

  template <int Step>
  __device__ void take_filter(T const* first)
  {
#pragma unroll
    for (int t = 0; t < filter_height * filter_width; ++t) {
      filter_[t] = to_sum(load_read_only(first + t * Step));
    }
  }
};

/// Slides a window down the staged rows of one plane, for a few neighbouring columns, one step an
/// output row.
///
/// Each input row is read once and added to the sums of every output row it touches: `live` rows of
/// sums in registers, oldest first. In every step each row of sums takes the place of the one
/// before it, which costs nothing: the step's first multiply-add reads one register and writes
/// another. The oldest is then given to `retire`, and finished but for the first steps.
template <typename Config>
class sliding_window : public window_columns_state<Config> {
  using base = window_columns_state<Config>;

 public:
  using T   = typename base::T;
  using sum = typename base::sum;
  using base::columns;
  using base::filter_height;
  using base::filter_width;
  using base::live;
  using base::reach;
  using base::stride_height;
  using base::stride_width;

  /// Steps before the one that finishes the first row.
  static constexpr int ramp = live - 1;

  __device__ sliding_window()
  {
#pragma unroll
    for (int s = 0; s < live; ++s) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums_[s][v] = sum(0); }
    }
  }

  /// Walks from where it is to step `until`.
  ///
  /// @param staged  Row max(row, 0) of x at the thread's first column.
  /// @param pitch   From one staged row to the next.
  /// @param row     Input row that the next step begins with; may lie above the image.
  /// @param row_end Rows 0 to row_end - 1 are on the image and staged as far as steps before
  /// `until` take them.
  /// @param until   Step to stop before.
  /// @param retire  Given each row of sums that is finished.
  template <typename Retire>
  __device__ void walk(T const* staged, int pitch, int row, int row_end, int until, Retire& retire)
  {
    // Only steps with a row on the image read and multiply.
    int const first = min(until, step_ + (row < 0 ? -row / stride_height : 0));
    int const last =
      min(until, step_ + max(0, (row_end - row + stride_height - 1) / stride_height));
    row += (first - step_) * stride_height;
#pragma unroll 1
    while (step_ < first) { idle(retire); }
#pragma unroll 1
    while (step_ < last) {
#pragma unroll
      for (int j = 0; j < stride_height; ++j) {
        // A step may have rows above or below the image.
        if (stride_height == 1 || (row + j >= 0 && row + j < row_end)) {
          accumulate(staged, j);
          staged += pitch;
        } else if (j == 0) {
          shift();
        }
      }
      row += stride_height;
      advance(retire);
    }
#pragma unroll 1
    while (step_ < until) { idle(retire); }
  }

 private:
  /// Adds one input row, the `j`-th of its step, to every row of sums it touches.
  __device__ void accumulate(T const* row, int j)
  {
    base::read(row);
#pragma unroll
    for (int s = 0; s < live; ++s) {
      int const kh = (live - 1 - s) * stride_height + j;
      if (kh >= filter_height) { continue; }
#pragma unroll
      for (int t = 0; t < filter_width; ++t) {
#pragma unroll
        for (int v = 0; v < columns; ++v) {
          sum const before = j > 0 || t > 0
                               ? sums_[s][v]
                               : (s + 1 < live ? sums_[s + 1 < live ? s + 1 : s][v] : sum(0));
          sums_[s][v] =
            multiply_add(x_[v * stride_width + t], filter_[kh * filter_width + t], before);
        }
      }
    }
  }

  /// Each row of sums takes the place of the one before it.
  __device__ void shift()
  {
#pragma unroll
    for (int s = 0; s < live; ++s) {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        sums_[s][v] = s + 1 < live ? sums_[s + 1 < live ? s + 1 : s][v] : sum(0);
      }
    }
  }

  /// A step without a row of x.
  template <typename Retire>
  __device__ void idle(Retire& retire)
  {
    shift();
    advance(retire);
  }

  template <typename Retire>
  __device__ void advance(Retire& retire)
  {
    retire(sums_[0], step_ >= ramp);
    ++step_;
  }

  using base::filter_;
  using base::x_;
  sum sums_[live][columns];
  int step_ = 0;
};

/// All outputs of a short piece at a time: every row of sums in registers, every row of x read once
/// and added to those it touches, the loop over rows unrolled. Spends no multiply-add on outputs of
/// other threads, as a walk does at both its ends, but takes registers for every row.
template <typename Config>
class register_tile : public window_columns_state<Config> {
  using base = window_columns_state<Config>;

 public:
  using T   = typename base::T;
  using sum = typename base::sum;
  using base::columns;
  using base::filter_height;
  using base::filter_width;
  using base::live;
  using base::reach;
  using base::stride_height;
  using base::stride_width;
  static constexpr int rows = Config::rows_per_thread;
  static constexpr int ramp = 0;

  /// As `sliding_window::walk`, for a piece in one chunk.
  template <typename Retire>
  __device__ void walk(T const* staged, int pitch, int row, int row_end, int until, Retire& retire)
  {
    sum sums[rows][columns];
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums[i][v] = sum(0); }
    }
    staged -= max(row, 0) * pitch;
#pragma unroll
    for (int u = 0; u < (rows - 1) * stride_height + filter_height; ++u) {
      if (row + u >= 0 && row + u < row_end) { accumulate(staged + (row + u) * pitch, u, sums); }
    }
#pragma unroll
    for (int i = 0; i < rows; ++i) { retire(sums[i], i + live - 1 < until); }
  }

 private:
  /// Adds input row `u` of the piece to every row of sums it touches.
  __device__ void accumulate(T const* row, int u, sum (&sums)[rows][columns])
  {
    base::read(row);
#pragma unroll
    for (int i = 0; i < rows; ++i) {
      int const kh = u - i * stride_height;
      if (kh < 0 || kh >= filter_height) { continue; }
#pragma unroll
      for (int t = 0; t < filter_width; ++t) {
#pragma unroll
        for (int v = 0; v < columns; ++v) {
          sums[i][v] =
            multiply_add(x_[v * stride_width + t], filter_[kh * filter_width + t], sums[i][v]);
        }
      }
    }
  }

  using base::filter_;
  using base::x_;
};

/// How a compiled kernel walks.
template <typename Config>
using window_engine =
  std::conditional_t<Config::rows_per_thread == 0, sliding_window<Config>, register_tile<Config>>;

DWCONV_ABI_NAMESPACE_END
