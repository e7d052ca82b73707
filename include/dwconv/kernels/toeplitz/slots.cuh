// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>

#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/mma.cuh>
#include <dwconv/device/shared_cursor.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Where in its tile a slot lies: a block of 8 columns of some neighbouring rows of an image.
struct toeplitz_slot {
  int image;
  int row;     ///< First output row,
  int rows;    ///< of so many, a step apart; none where there is no such slot.
  int column;  ///< First output column.

  /// Blocks begin `shift` columns early.
  ///
  /// @tparam Along   Walks go along a plane's only row, and rows are steps.
  /// @tparam Dilates Walks may take every so many rows.
  template <bool Along, bool Dilates, typename T>
  [[nodiscard]] static __device__ toeplitz_slot of(toeplitz_params<T> const& p,
                                                   toeplitz_position const& t, int index, int shift)
  {
    auto const& n = p.grid;
    int const odd = Dilates && of_second_class(n, index) ? 1 : 0;
    index -= odd * first_of_second(n);
    int const line = n.blocks.quotient(index);
    int const run  = n.images.quotient(line);
    toeplitz_slot s{};
    s.image  = line - run * n.images.divisor();
    s.column = (index - line * n.blocks.divisor()) * toeplitz_block - shift;
    if constexpr (Along) {
      s.column += run * (p.walk * toeplitz_stretch);
      s.rows = min(p.walk, (t.columns - s.column + toeplitz_stretch - 1) / toeplitz_stretch);
    } else if (!Dilates || n.step.divisor() == 1) {
      s.row  = run * p.walk;
      s.rows = min(p.walk, t.rows - s.row);
    } else {
      int const down  = n.phases.quotient(run);
      int const phase = (run - down * n.phases.divisor()) * n.classes + odd;
      s.row           = down * p.walk * n.step.divisor() + phase;
      s.rows          = phase < n.step.divisor() && s.row < t.rows
                          ? min(p.walk, n.step.quotient_up(t.rows - s.row))
                          : 0;
    }
    // The last strip of a plane may have fewer walks than the others.
    if (index >= n.slots || s.image >= t.images || s.column >= t.columns || s.rows < 0) {
      s.rows = 0;
    }
    return s;
  }

  /// Whether a slot is of an odd phase, where those have matrix products of their own.
  [[nodiscard]] static __device__ bool of_second_class(toeplitz_grid const& n, int index)
  {
    return n.classes > 1 && index >= first_of_second(n);
  }

 private:
  [[nodiscard]] static __device__ int first_of_second(toeplitz_grid const& n)
  {
    return n.matrices.divisor() / 2 * toeplitz_slots;
  }
};

/// Columns by which windows begin early, in a walk's first row and in its second; the others take
/// turns. Where a window would begin at an odd address it begins one column before, which is so for
/// all slots alike; the filter is shifted then.
struct toeplitz_early {
  int row[2];
};

/// Rows ahead of which it is known at a time whether they are staged.
inline constexpr int toeplitz_most_ahead = 31;

/// Bit i says whether the row i ahead of `row` is one of `rows`.
[[nodiscard]] __device__ inline unsigned toeplitz_staged_ahead(int row, int rows)
{
  int const first = min(max(-row, 0), toeplitz_most_ahead);
  int const end   = min(max(rows - row, 0), toeplitz_most_ahead);
  return ((1u << end) - 1u) & (~0u << first);
}

/// Ones for those of two neighbouring columns that are among the staged ones.
[[nodiscard]] __device__ inline std::uint32_t toeplitz_mask(int column, int columns)
{
  auto const last = static_cast<unsigned>(columns);
  return (static_cast<unsigned>(column) < last ? 0x0000ffffu : 0u) |
         (static_cast<unsigned>(column + 1) < last ? 0xffff0000u : 0u);
}

/// A lane's two of the 16 windows of x that a matrix product takes in, walking down staged rows.
///
/// Whatever lies outside the image is never looked at as a number: rows are not read, columns are
/// masked.
///
/// @tparam Realign Rows begin anywhere: each word is put together from two.
template <typename T, int Chunks, bool Realign>
class toeplitz_windows {
 public:
  /// Rows that `at` may look ahead.
  static constexpr int most_ahead = toeplitz_most_ahead;

  /// Slot `which` (0 or 1) of the lane. `staged` is the first staged element of its plane.
  template <bool Along>
  __device__ void place(int which, T const* staged, toeplitz_params<T> const& p,
                        toeplitz_position const& t, toeplitz_slot const& s, toeplitz_early const&)
  {
    auto const& f    = p.frame;
    int const row    = (t.row + s.row) * f.stride_height - f.pad_top - t.input_row;
    int const column = (t.column + s.column) * f.stride_width - f.pad_left - p.lead -
                       t.input_column + 2 * (lane_index() % 4);
    rows_        = t.input_rows;
    pitch_       = p.layout.row_pitch;
    row_[which]  = s.rows > 0 ? row : rows_;
    from_[which] = staged + (row * pitch_ + column);
    look(which);
#pragma unroll
    for (int i = 0; i < 2 * Chunks; ++i) {
      mask_[which][i] = toeplitz_mask(column + i * toeplitz_depth / 2, t.input_columns);
    }
  }

  /// Goes to the next row, which was one ahead.
  __device__ void step()
  {
    from_[0] += pitch_;
    from_[1] += pitch_;
  }

  /// Begins to count rows ahead anew, after `rows` steps.
  __device__ void settle(int rows)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      row_[s] += rows;
      look(s);
    }
  }

  /// Skips rows.
  __device__ void skip(int rows)
  {
    from_[0] += rows * pitch_;
    from_[1] += rows * pitch_;
    settle(rows);
  }

  /// The windows in the current row, from column 16 * c on; `ahead` rows were stepped since they
  /// were counted.
  [[nodiscard]] __device__ mma_left at(int ahead, int c) const
  {
    mma_left a;
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      a.r[s] = a.r[s + 2] = 0;
      if ((staged_[s] >> ahead & 1u) != 0) {
        T const* const from = from_[s] + toeplitz_depth * c;
        a.r[s]              = pair(from) & mask_[s][2 * c];
        a.r[s + 2]          = pair(from + toeplitz_depth / 2) & mask_[s][2 * c + 1];
      }
    }
    return a;
  }

 private:
  __device__ void look(int s)
  {
    staged_[s] = toeplitz_staged_ahead(row_[s], rows_);
  }

  [[nodiscard]] static __device__ std::uint32_t pair(T const* from)
  {
    if constexpr (Realign) {
      auto const odd = static_cast<int>(reinterpret_cast<std::uintptr_t>(from) / sizeof(T) % 2);
      T const* const word = from - odd;
      return funnel_pair(load_pair(word), load_pair(word + 2), odd * 16);
    } else {
      return load_pair(from);
    }
  }

  int rows_;
  int pitch_;
  int row_[2];
  T const* from_[2];
  unsigned staged_[2];
  std::uint32_t mask_[2][2 * Chunks];
};

/// The same for walks that know at compile time which row they are at.
///
/// @tparam Kinds   Rows in which windows begin differently, 1 or 2.
/// @tparam Dilates Walks may take every so many rows.
template <typename T, int Chunks, int Kinds, bool Dilates>
class toeplitz_walk_windows {
 public:
  static constexpr int kinds = Kinds;

  /// @tparam Along Each step has its own columns of a plane's only row; zeros were staged beside
  ///               it.
  template <bool Along>
  __device__ void place(int which, T const* staged, toeplitz_params<T> const& p,
                        toeplitz_position const& t, toeplitz_slot const& s,
                        toeplitz_early const& early)
  {
    auto const& f    = p.frame;
    int const row    = (t.row + s.row) * f.stride_height - f.pad_top - t.input_row;
    int const column = (t.column + s.column) * f.stride_width - f.pad_left - p.lead -
                       t.input_column + 2 * (lane_index() % 4);
    int const step   = Dilates ? p.grid.step.divisor() : 1;
    int const pitch  = Along ? toeplitz_stretch * f.stride_width : p.layout.row_pitch * step;
    int const before = Kinds > 1 ? early.row[0] : 0;
    rows_[which]     = Along ? t.input_rows * s.rows : t.input_rows;
    row_[which]      = s.rows > 0 ? row : rows_[which];
    if (!Along && step > 1) { count_steps(which, p.grid.step); }
    int const line = Along ? row * pitch : row * p.layout.row_pitch;
    from_[which]   = shared_cursor<T>{staged + (line + column - before)};
#pragma unroll
    for (int k = 0; k < Kinds; ++k) {
      int const earlier = Kinds > 1 ? early.row[k] : 0;
      step_[k]          = pitch + (Kinds > 1 ? early.row[k] - early.row[1 - k] : 0);
#pragma unroll
      for (int i = 0; i < 2 * Chunks; ++i) {
        mask_[k][which][i] =
          Along ? ~0u : toeplitz_mask(column - earlier + i * toeplitz_depth / 2, t.input_columns);
      }
    }
    staged_[which] = toeplitz_staged_ahead(row_[which], rows_[which]);
  }

  /// From row `Row` of the walk to the next.
  template <int Row>
  __device__ void step()
  {
    from_[0].advance(step_[Row % Kinds]);
    from_[1].advance(step_[Row % Kinds]);
  }

  /// Begins to count rows anew, after an even number of them.
  __device__ void settle(int rows)
  {
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      row_[s] += rows;
      staged_[s] = toeplitz_staged_ahead(row_[s], rows_[s]);
    }
  }

  /// The windows in row `Row`, which the walk is at.
  template <int Row>
  __device__ void read(mma_left (&x)[Chunks]) const
  {
    static_assert(Row < toeplitz_most_ahead);
    [&]<int... C>(std::integer_sequence<int, C...>)
    {
      (read_chunk<Row, C>(x[C]), ...);
    }
    (std::make_integer_sequence<int, Chunks>{});
  }

 private:
  /// Counts rows in steps: before the first staged one, and to behind the last.
  __device__ void count_steps(int which, toeplitz_grid::divisor const& step)
  {
    int const before = step.quotient_up(max(-row_[which], 0));
    int const end    = step.quotient_up(max(rows_[which] - row_[which], 0));
    row_[which]      = -before;
    rows_[which]     = end - before;
  }

  template <int Row, int C>
  __device__ void read_chunk(mma_left& x) const
  {
    constexpr int k     = Row % Kinds;
    constexpr int ahead = toeplitz_depth * C;
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      x.r[s] = x.r[s + 2] = 0;
      if ((staged_[s] >> Row & 1u) != 0) {
        x.r[s] = from_[s].template load_pair<ahead>() & mask_[k][s][2 * C];
        x.r[s + 2] =
          from_[s].template load_pair<ahead + toeplitz_depth / 2>() & mask_[k][s][2 * C + 1];
      }
    }
  }

  int rows_[2];
  int row_[2];
  int step_[Kinds];
  shared_cursor<T> from_[2];
  unsigned staged_[2];
  std::uint32_t mask_[Kinds][2][2 * Chunks];
};

DWCONV_ABI_NAMESPACE_END
