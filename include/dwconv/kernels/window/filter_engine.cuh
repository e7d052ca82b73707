// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/kernels/window/filter_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// What one thread has of a chunk: rows of a plane of x and of its plane of dy, at its columns.
template <typename T>
struct window_filter_rows {
  T const* x;  ///< Row `x_row`, at the input column under the first tap of the first output.
  int x_pitch;
  int x_row;  ///< Rows whose products are this thread's.
  int x_end;
  T const* dy;  ///< Row `dy_row`.
  int dy_pitch;
  int dy_row;
  int dy_end;
};

/// Walks down the rows of a plane for a few neighbouring columns of dy, and sums for each tap the
/// products of x and dy that met in it.
///
/// Each row of x is read once and multiplied with every row of dy it meets: the last `live` of them
/// are in registers. They do not move: the loop over steps is unrolled as far as they return to
/// their places.
template <typename Config>
class window_filter_engine {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int filter_height = static_cast<int>(Config::taps.height);
  static constexpr int filter_width  = static_cast<int>(Config::taps.width);
  static constexpr int stride_height = static_cast<int>(Config::stride.height);
  static constexpr int stride_width  = static_cast<int>(Config::stride.width);
  static constexpr int columns       = Config::columns_per_thread;
  static constexpr int taps          = filter_height * filter_width;
  static constexpr int live          = (filter_height + stride_height - 1) / stride_height;
  static constexpr bool dilated      = Config::dilated;
  /// As `window_filter_reach` counts.
  static constexpr int reach =
    dilated ? columns * filter_width : (columns - 1) * stride_width + filter_width;
  static constexpr int turns = Config::turns;
  static_assert(turns == live || turns == 1);
  /// A filter of one row: a row of x meets one of dy, and neither has to be kept. Nor have masks,
  /// as few threads need them.
  static constexpr bool flat = filter_height == 1 && !dilated;

  /// Columns of x from `x_begin` to `x_end` - 1 are staged, `outputs` columns of dy are the
  /// thread's: whatever else it reads counts as zero.
  __device__ window_filter_engine(int first_x_column, int x_begin, int x_end, int outputs,
                                  int dilation = 1)
    : dilation_{dilation}
  {
#pragma unroll
    for (int t = 0; t < taps; ++t) { sums_[t] = sum(0); }
    outputs_ = outputs;
    if constexpr (flat) {
      first_ = max(x_begin - first_x_column, 0);
      end_   = min(x_end - first_x_column, reach);
    } else {
#pragma unroll
      for (int m = 0; m < live; ++m) {
#pragma unroll
        for (int v = 0; v < columns; ++v) { dy_[m][v] = sum(0); }
      }
#pragma unroll
      for (int c = 0; c < reach; ++c) {
        int const column = first_x_column + place_of(c);
        on_image_[c]     = opaque(column >= x_begin && column < x_end ? ~0u : 0u);
      }
#pragma unroll
      for (int v = 0; v < columns; ++v) { here_[v] = opaque(v < outputs ? ~0u : 0u); }
    }
  }

  /// Takes steps `step` to `end` - 1, and perhaps some more, in which no row of `rows` takes part.
  __device__ void walk(window_filter_rows<T> const& rows, int step, int end, int pad_top)
  {
    int const dy_rows = rows.dy_end - rows.dy_row;
    int const x_rows  = rows.x_end - rows.x_row;
    int dy_at         = step - rows.dy_row;
    int x_at          = step * stride_height - pad_top - rows.x_row;
    if constexpr (flat) {
      bool const inside = first_ == 0 && end_ == reach && outputs_ == columns;
#pragma unroll 1
      for (; step < end; ++step, ++dy_at, x_at += stride_height) {
        if (static_cast<unsigned>(dy_at) >= static_cast<unsigned>(dy_rows) ||
            static_cast<unsigned>(x_at) >= static_cast<unsigned>(x_rows)) {
          continue;
        }
        T const* const x  = rows.x + x_at * rows.x_pitch;
        T const* const dy = rows.dy + dy_at * rows.dy_pitch;
        if (inside) {
          add_rows<false>(x, dy);
        } else {
          add_rows<true>(x, dy);
        }
      }
    } else {
#pragma unroll 1
      for (; step < end; step += turns) {
#pragma unroll
        for (int u = 0; u < turns; ++u) {
          bool const dy_here = static_cast<unsigned>(dy_at) < static_cast<unsigned>(dy_rows);
          take_in(u, rows.dy + (dy_here ? dy_at * rows.dy_pitch : 0), opaque(dy_here ? ~0u : 0u));
#pragma unroll
          for (int j = 0; j < stride_height && j < filter_height; ++j) {
            if (static_cast<unsigned>(x_at + j) < static_cast<unsigned>(x_rows)) {
              accumulate(u, j, rows.x + (x_at + j) * rows.x_pitch);
            }
          }
          ++dy_at;
          x_at += stride_height;
        }
      }
    }
  }

  [[nodiscard]] __device__ sum of_tap(int tap) const
  {
    return sums_[tap];
  }

 private:
  /// Which of the rows kept is the `m`-th last in turn u.
  [[nodiscard]] static __device__ constexpr int place(int u, int m)
  {
    return turns == 1 ? m : (u - m + live) % live;
  }

  /// Where element c of those read of a row lies: taps' columns one after the other.
  [[nodiscard]] __device__ int place_of(int c) const
  {
    return dilated ? c / columns * dilation_ + c % columns : c;
  }
  /// Which of those read meets column v in tap t.
  [[nodiscard]] static __device__ constexpr int element_of(int v, int t)
  {
    return dilated ? t * columns + v : v * stride_width + t;
  }

  __device__ void take_in(int u, T const* row, unsigned row_here)
  {
    if constexpr (turns == 1) {
#pragma unroll
      for (int m = live - 1; m > 0; --m) {
#pragma unroll
        for (int v = 0; v < columns; ++v) { dy_[m][v] = dy_[m - 1][v]; }
      }
    }
    // Many sums leave no registers for masks.
    [[maybe_unused]] int const outputs = row_here != 0 ? outputs_ : 0;
#pragma unroll
    for (int v = 0; v < columns; ++v) {
      if constexpr (turns == 1) {
        dy_[0][v] = v < outputs ? to_sum(row[v]) : sum(0);
      } else {
        dy_[place(u, 0)][v] = to_sum(keep_bits(row[v], here_[v] & row_here));
      }
    }
  }

  /// Multiplies a row of x with the only row of dy it meets.
  template <bool Masked>
  __device__ void add_rows(T const* x_row, T const* dy_row)
  {
    auto const masked = [](T value, bool here) {
      return to_sum(Masked ? keep_bits(value, here ? ~0u : 0u) : value);
    };
    sum x[reach];
#pragma unroll
    for (int c = 0; c < reach; ++c) { x[c] = masked(x_row[c], c >= first_ && c < end_); }
#pragma unroll
    for (int v = 0; v < columns; ++v) {
      sum const dy = masked(dy_row[v], v < outputs_);
#pragma unroll
      for (int t = 0; t < filter_width; ++t) {
        sums_[t] = multiply_add(x[v * stride_width + t], dy, sums_[t]);
      }
    }
  }

  /// Multiplies one row of x, the `j`-th of its step, with every row of dy it meets.
  __device__ void accumulate(int u, int j, T const* row)
  {
    sum x[reach];
#pragma unroll
    for (int c = 0; c < reach; ++c) { x[c] = to_sum(keep_bits(row[place_of(c)], on_image_[c])); }
#pragma unroll
    for (int v = 0; v < columns; ++v) {
#pragma unroll
      for (int m = 0; m < live; ++m) {
        int const kh = m * stride_height + j;
        if (kh >= filter_height) { continue; }
#pragma unroll
        for (int t = 0; t < filter_width; ++t) {
          sum& to = sums_[kh * filter_width + t];
          to      = multiply_add(x[element_of(v, t)], dy_[place(u, m)][v], to);
        }
      }
    }
  }

  sum sums_[taps];
  sum dy_[live][columns];
  unsigned on_image_[reach];
  unsigned here_[columns];
  int outputs_;
  int dilation_;
  int first_;  ///< Of the elements read of a row, where there are no masks,
  int end_;    ///< and one past the last.
};

DWCONV_ABI_NAMESPACE_END
