// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/filter_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// What one thread has of a chunk: rows of a plane of x, which become rows of dx, and of its plane
/// of dy, at its columns.
template <typename T>
struct window_joint_rows {
  T* x;  ///< Row `x_row`, at the thread's first column.
  int x_pitch;
  int x_row;  ///< Rows that are this thread's.
  int x_end;
  T const* dy;  ///< Row `dy_row`, at the column that the last tap brings the first column to.
  int dy_pitch;
  int dy_row;
  int dy_end;
};

/// Walks down the rows of a plane for a few neighbouring columns of x: sums for each tap the
/// products of x and dy that met in it, and leaves in the place of each element of x that of dx.
///
/// An element of x meets the same elements of dy in both gradients: those of the last `live` rows,
/// which are in registers, columns beside the thread's own included. So a row of dx is summed in
/// one step, and each row of x and of dy is read once.
template <typename Config>
class window_joint_engine {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int filter_height = static_cast<int>(Config::taps.height);
  static constexpr int filter_width  = static_cast<int>(Config::taps.width);
  static constexpr int columns       = Config::columns_per_thread;
  static constexpr int taps          = filter_height * filter_width;
  static constexpr int live          = filter_height;
  static constexpr int reach         = columns + filter_width - 1;

  /// Columns of dy from `dy_begin` to `dy_end` - 1 are staged, `owned` columns of x are the
  /// thread's: whatever else it reads counts as zero.
  __device__ window_joint_engine(T const* filter, int first_dy_column, int dy_begin, int dy_end,
                                 int owned)
    : owned_{(1u << owned) - 1u}, staged_{0}
  {
#pragma unroll
    for (int t = 0; t < taps; ++t) {
      sums_[t]   = sum(0);
      filter_[t] = to_sum(load_read_only(filter + t));
    }
#pragma unroll
    for (int m = 0; m < live; ++m) {
#pragma unroll
      for (int e = 0; e < reach; ++e) { dy_[m][e] = sum(0); }
    }
#pragma unroll
    for (int e = 0; e < reach; ++e) {
      int const column = first_dy_column + e;
      staged_ |= column >= dy_begin && column < dy_end ? 1u << e : 0u;
    }
  }

  /// Takes steps `step` to `end` - 1, and perhaps some more, in which no row of `rows` takes part.
  __device__ void walk(window_joint_rows<T> const& rows, int step, int end, int pad_top)
  {
    if constexpr (sizeof(T) == 2 && columns % 2 == 0) {
      // Where no row begins or ends in the middle of a word, two neighbours are moved at a time.
      auto const odd = [](T const* address) {
        return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(address) / sizeof(T)) & 1u;
      };
      bool const even  = ((owned_ + 1u) & 0x55555555u) != 0;
      bool const words = even && (odd(rows.x) | ((rows.x_pitch | rows.dy_pitch) & 1)) == 0;
      if (words && odd(rows.dy) == 0) {
        return take_steps<pairs_from<0>>(rows, step, end, pad_top);
      }
      if (words) { return take_steps<pairs_from<1>>(rows, step, end, pad_top); }
    }
    take_steps<one_by_one>(rows, step, end, pad_top);
  }

  [[nodiscard]] __device__ sum of_tap(int tap) const
  {
    return sums_[tap];
  }

 private:
  /// Which of the rows kept is the `m`-th last in turn u.
  [[nodiscard]] static __device__ constexpr int place(int u, int m)
  {
    return (u - m + live) % live;
  }

  template <typename Access>
  __device__ void take_steps(window_joint_rows<T> const& rows, int step, int end, int pad_top)
  {
    int const dy_rows = rows.dy_end - rows.dy_row;
    int const x_rows  = rows.x_end - rows.x_row;
    int dy_at         = step - rows.dy_row;
    int x_at          = step - pad_top - rows.x_row;
    Access const access{staged_};
#pragma unroll 1
    for (; step < end; step += live) {
#pragma unroll
      for (int u = 0; u < live; ++u) {
        bool const dy_here = static_cast<unsigned>(dy_at) < static_cast<unsigned>(dy_rows);
        access.read_dy(rows.dy + (dy_here ? dy_at * rows.dy_pitch : 0), opaque(dy_here ? ~0u : 0u),
                       dy_[place(u, 0)]);
        if (static_cast<unsigned>(x_at) < static_cast<unsigned>(x_rows)) {
          T* const row = rows.x + x_at * rows.x_pitch;
          sum x[columns], dx[columns];
          unsigned const owned = opaque(owned_);
          access.read_x(row, owned, x);
          meet(u, x, dx);
          access.write_dx(row, owned, dx);
        }
        ++dy_at;
        ++x_at;
      }
    }
  }

  /// Multiplies one row of x and the filter with every row of dy they meet.
  __device__ void meet(int u, sum const (&x)[columns], sum (&dx)[columns])
  {
#pragma unroll
    for (int v = 0; v < columns; ++v) { dx[v] = sum(0); }
    // In the order in which the forward kernels take the turned filter.
#pragma unroll
    for (int m = live - 1; m >= 0; --m) {
#pragma unroll
      for (int t = filter_width - 1; t >= 0; --t) {
#pragma unroll
        for (int v = 0; v < columns; ++v) {
          sum const dy = dy_[place(u, m)][v + filter_width - 1 - t];
          sum& to      = sums_[m * filter_width + t];
          dx[v]        = multiply_add(dy, filter_[m * filter_width + t], dx[v]);
          to           = multiply_add(x[v], dy, to);
        }
      }
    }
  }

  /// Elements are read and written one by one, under a bit each.
  struct one_by_one {
    unsigned staged;

    __device__ void read_dy(T const* row, unsigned row_here, sum (&dy)[reach]) const
    {
      unsigned const here = opaque(staged & row_here);
#pragma unroll
      for (int e = 0; e < reach; ++e) {
        dy[e] = sum(0);
        if (here >> e & 1u) { dy[e] = to_sum(row[e]); }
      }
    }
    __device__ void read_x(T const* row, unsigned owned, sum (&x)[columns]) const
    {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        x[v] = sum(0);
        if (owned >> v & 1u) { x[v] = to_sum(row[v]); }
      }
    }
    __device__ void write_dx(T* row, unsigned owned, sum const (&dx)[columns]) const
    {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        if (owned >> v & 1u) { row[v] = from_sum<T>(dx[v]); }
      }
    }
  };

  /// Half types, two neighbours at a time: pairs of x begin with the thread's columns, which are an
  /// even number, and those of dy `Before` columns before the first.
  template <int Before>
  struct pairs_from {
    static constexpr int words = (Before + reach + 1) / 2;
    unsigned mask[words];

    explicit __device__ pairs_from(unsigned staged)
    {
#pragma unroll
      for (int w = 0; w < words; ++w) {
        unsigned const both = staged << Before >> (2 * w);
        mask[w] = opaque(((both & 1u) != 0 ? 0xffffu : 0u) | ((both & 2u) != 0 ? ~0xffffu : 0u));
      }
    }
    __device__ void read_dy(T const* row, unsigned row_here, sum (&dy)[reach]) const
    {
#pragma unroll
      for (int w = 0; w < words; ++w) {
        std::uint32_t const pair = load_pair(row + (2 * w - Before)) & mask[w] & row_here;
        if (2 * w >= Before) { dy[2 * w - Before] = sum_from_pair<T, 0>(pair); }
        if (2 * w + 1 - Before < reach) { dy[2 * w + 1 - Before] = sum_from_pair<T, 1>(pair); }
      }
    }
    __device__ void read_x(T const* row, unsigned owned, sum (&x)[columns]) const
    {
#pragma unroll
      for (int v = 0; v < columns; v += 2) {
        std::uint32_t pair = 0;
        if (owned >> v & 1u) { pair = load_pair(row + v); }
        x[v]     = sum_from_pair<T, 0>(pair);
        x[v + 1] = sum_from_pair<T, 1>(pair);
      }
    }
    __device__ void write_dx(T* row, unsigned owned, sum const (&dx)[columns]) const
    {
#pragma unroll
      for (int v = 0; v < columns; v += 2) {
        // Opaque, lest the sums be formed behind a branch.
        std::uint32_t const pair = opaque(pair_from_sums<T>(dx[v], dx[v + 1]));
        if (owned >> v & 1u) { store_pair(row + v, pair); }
      }
    }
  };

  sum sums_[taps];
  sum filter_[taps];
  sum dy_[live][reach];
  unsigned owned_;   ///< A bit a column of x.
  unsigned staged_;  ///< A bit a column of dy.
};

DWCONV_ABI_NAMESPACE_END
