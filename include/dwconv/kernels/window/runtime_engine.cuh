// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <climits>
#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/window/engine.cuh>
#include <dwconv/kernels/window/runtime_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// As `window_piece`; of a dilated filter the rows of a piece are some rows apart, and pieces that
/// begin in rows beside each other fill the gaps.
template <typename Params>
[[nodiscard]] __device__ window_piece runtime_window_piece(Params const& p,
                                                           tile_position const& tile, int thread,
                                                           int columns_per_thread)
{
  int const line    = p.across.quotient(thread);
  int const plane   = p.down.quotient(line);
  int const down    = line - plane * p.down.divisor();
  int const segment = p.residues.quotient(down);
  window_piece piece;
  piece.column = (thread - line * p.across.divisor()) * columns_per_thread;
  piece.row =
    segment * p.rows_per_thread * p.phases.divisor() + down - segment * p.residues.divisor();
  int const left = tile.rows - piece.row;
  piece.rows =
    plane < tile.planes && left > 0 ? min(p.rows_per_thread, p.phases.quotient_up(left)) : 0;
  piece.columns = min(columns_per_thread, tile.columns - piece.column);
  piece.plane   = min(plane, tile.planes - 1);
  if (piece.columns <= 0) { piece.rows = 0; }
  return piece;
}

/// Brings the filters of a tile's planes to shared memory, as `runtime_window_filter` says.
template <typename T>
__device__ void stage_runtime_filters(runtime_window_params<T> const& p, tile_position const& tile,
                                      sum_of<T>* area)
{
  int const count = tile.planes * p.taps.divisor();
#pragma unroll 1
  for (int e = static_cast<int>(threadIdx.x); e < count; e += static_cast<int>(blockDim.x)) {
    int const plane   = p.taps.quotient(e);
    int const tap     = e - plane * p.taps.divisor();
    int const kh      = p.taps_across.quotient(tap);
    int const kw      = tap - kh * p.taps_across.divisor();
    int const r       = p.stride_height.quotient(kh);
    int const image   = p.output_channels.quotient(tile.plane + plane);
    int const channel = tile.plane + plane - image * p.output_channels.divisor();
    area[plane * p.staged.plane_pitch + (kh - r * p.stride_height.divisor()) * p.staged.row_pitch +
         p.staged.lead + kw * p.staged.rows + r] =
      to_sum(
        load_read_only(p.filter + static_cast<std::int64_t>(channel) * p.taps.divisor() +
                       (p.turned ? p.taps.divisor() - 1 - tap : tap)));
  }
}

/// Slides a window down the staged rows of one plane as `sliding_window` does, for a filter that is
/// known at run time only and read from shared memory.
///
/// Sums are kept newest first, and their number is one of a few that there is code for: rows past
/// the filter's last hold outputs that were finished before, so that nothing asks whether a row
/// exists. Taps of an output are added row by row, in each from left to right.
template <typename Config>
class runtime_window {
 public:
  using T   = typename Config::element_type;
  using sum = sum_of<T>;

  static constexpr int columns   = Config::columns_per_thread;
  static constexpr int most_live = Config::live;
  static constexpr bool near     = Config::stride_width == 1;
  static constexpr bool in_fours = near && most_live <= runtime_window_most_fours;

  /// @param p      What the kernel is told.
  /// @param filter The plane's, staged.
  /// @param row    Input row that the walk begins with; may lie above the image, whose rows, as far
  /// as the tile takes them, end before `row_end`.
  /// @param row_end See `row`.
  /// @param column Input column under the first output's first tap,
  /// @param last   and under the last output's last.
  __device__ runtime_window(runtime_window_params<T> const& p, sum const* filter, int row,
                            int row_end, int column, int last)
    : p_{p}, filter_{filter}, row_end_{row_end}, row_{row}
  {
    // Steps with a row on the image: only they read and multiply.
    int const behind  = row + p.step_rows - 1;
    first_            = behind < 0 ? p.advance.quotient_up(-behind) : 0;
    last_             = row_end > row ? p.advance.quotient_up(row_end - row) : 0;
    bool const inside = column >= 0 && last < p.frame.input_width;
    column_           = inside ? 0 : column;
    width_            = inside ? INT_MAX / 2 : p.frame.input_width;
#pragma unroll
    for (int r = 0; r < most_live; ++r) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { sums_[r][v] = sum(0); }
    }
  }

  /// Walks from where it is to step `until`.
  ///
  /// @param staged Row `row` of x at the thread's first column.
  /// @param row    First staged row.
  /// @param until  Step to stop before.
  /// @param retire Given each row of sums that is finished.
  template <typename Retire>
  __device__ void walk(T const* staged, int row, int until, Retire& retire)
  {
    walk_rows<fewest>(staged, row, until, retire);
  }

 private:
  /// From one of the numbers of rows that there is code for to the next.
  static constexpr int apart  = runtime_window_rows(most_live, 1);
  static constexpr int fewest = (most_live > 4 ? most_live / 2 : 0) + apart;

  /// With the rows of sums that the filter needs, at least Rows.
  template <int Rows, typename Retire>
  __device__ void walk_rows(T const* staged, int row, int until, Retire& retire)
  {
    if constexpr (Rows < most_live) {
      if (p_.staged.rows != Rows) {
        walk_rows<Rows + apart>(staged, row, until, retire);
        return;
      }
    }
    int const first = min(until, first_);
    int const last  = min(until, last_);
#pragma unroll 1
    while (step_ < first) { idle<Rows>(retire); }
    if (step_ < last) {
      int const pitch = p_.geometry.input_pitch;
      T const* at     = staged + (row_ - row) * pitch;
#pragma unroll 1
      do {
        take<Rows>(at, pitch, retire);
        at += p_.advance.divisor() * pitch;
      } while (step_ < last);
    }
#pragma unroll 1
    while (step_ < until) { idle<Rows>(retire); }
  }

  /// A step with a row of x on the image.
  template <int Rows, typename Retire>
  __device__ void take(T const* row, int pitch, Retire& retire)
  {
    sum const* filter = filter_;
    for (int j = 0;;) {
      if (p_.step_rows == 1 || (row_ + j >= 0 && row_ + j < row_end_)) {
        add_row<Rows>(row, filter, j == 0);
      } else if (j == 0) {
        shift<Rows>();
      }
      if (j == p_.last_row) { give<Rows>(retire); }
      if (++j >= p_.step_rows) { break; }
      row += pitch;
      filter += p_.staged.row_pitch;
    }
    advance();
  }

  /// A step without.
  template <int Rows, typename Retire>
  __device__ void idle(Retire& retire)
  {
    shift<Rows>();
    give<Rows>(retire);
    advance();
  }

  __device__ void advance()
  {
    ++step_;
    row_ += p_.advance.divisor();
  }

  template <int Rows>
  __device__ void shift()
  {
#pragma unroll
    for (int r = Rows - 1; r >= 0; --r) {
#pragma unroll
      for (int v = 0; v < columns; ++v) {
        sums_[r][v] = r > 0 ? sums_[r > 0 ? r - 1 : r][v] : sum(0);
      }
    }
  }

  /// The oldest row of sums is finished.
  template <int Rows, typename Retire>
  __device__ void give(Retire& retire)
  {
    if (step_ < p_.live - 1) { return; }
    if constexpr (apart == 1) {
      retire(sums_[Rows - 1]);
    } else {
      sum oldest[columns];
#pragma unroll
      for (int v = 0; v < columns; ++v) { oldest[v] = sums_[Rows - 1][v]; }
#pragma unroll
      for (int r = Rows - apart; r < Rows - 1; ++r) {
        if (p_.live - 1 == r) {
#pragma unroll
          for (int v = 0; v < columns; ++v) { oldest[v] = sums_[r][v]; }
        }
      }
      retire(oldest);
    }
  }

  /// Adds one row of x to every row of sums. With the first tap of a step each row of sums takes
  /// the place of the one before it.
  template <int Rows>
  __device__ void add_row(T const* row, sum const* filter, bool first_of_step)
  {
    filter += p_.staged.lead;
    int column = column_;
    int single = p_.staged.single;
    sum x[columns];
    read<columns>(row, column, x);
    if (first_of_step) {
      add_taps<Rows, 1, true>(x, filter);
    } else {
      add_taps<Rows, 1, false>(x, filter);
    }
#pragma unroll 1
    while (--single > 0) {
      row += p_.dilation_width;
      column += p_.dilation_width;
      filter += Rows;
      read<columns>(row, column, x);
      add_taps<Rows, 1, false>(x, filter);
    }
    if constexpr (in_fours) {
      row += 1;
      column += 1;
      filter += Rows;
#pragma unroll 1
      for (int t = p_.staged.single; t < p_.filter_width; t += 4) {
        sum run[columns + 3];
        read<columns + 3>(row, column, run);
        add_taps<Rows, 4, false>(run, filter);
        row += 4;
        column += 4;
        filter += 4 * Rows;
      }
    }
  }

  /// Reads what is under a tap, or under some neighbouring ones; zeros off the image.
  template <int Count>
  __device__ void read(T const* row, int column, sum (&x)[Count])
  {
    int const step = near ? 1 : p_.stride_width;
    if (column >= 0 && column < width_ - (Count - 1) * step) {
#pragma unroll
      for (int v = 0; v < Count; ++v) { x[v] = to_sum(row[v * step]); }
    } else {
#pragma unroll
      for (int v = 0; v < Count; ++v) {
        int const here = column + v * step;
        x[v]           = here >= 0 && here < width_ ? to_sum(row[v * step]) : sum(0);
      }
    }
  }

  /// `Taps` neighbouring taps of the row for every row of sums.
  template <int Rows, int Taps, bool Shift, int Count>
  __device__ void add_taps(sum const (&x)[Count], sum const* filter)
  {
    // What is read at once: 16 bytes if the taps keep to such a distance.
    constexpr int most    = 16 / static_cast<int>(sizeof(sum));
    constexpr int all     = Rows * Taps;
    constexpr int at_once = all % most == 0 ? most : all % 2 == 0 ? 2 : 1;
    struct alignas(at_once * sizeof(sum)) pack {
      sum taps[at_once];
    };
    // From the oldest row on, which makes place for the next.
#pragma unroll
    for (int i = all / at_once - 1; i >= 0; --i) {
      int const from   = Taps > 1 ? all / at_once - 1 - i : i;
      pack const taken = reinterpret_cast<pack const*>(filter)[from];
#pragma unroll
      for (int k = 0; k < at_once; ++k) {
        int const tap = from * at_once + (Taps > 1 ? k : at_once - 1 - k);
        int const t = tap / Rows, r = tap % Rows;
        sum const f = taken.taps[tap % at_once];
#pragma unroll
        for (int v = 0; v < columns; ++v) {
          sum const before =
            !Shift ? sums_[r][v] : r > 0 ? sums_[r > 0 ? r - 1 : r][v] : sum(0);
          sums_[r][v] = multiply_add(x[v + t], f, before);
        }
      }
    }
  }

  runtime_window_params<T> const& p_;
  sum const* filter_;
  int row_end_;
  int row_;  ///< Of x, that the next step begins with.
  int first_;
  int last_;
  int column_;  ///< Of x, under the first output's first tap, among
  int width_;   ///< this many; none is off the image where all are on it.
  int step_ = 0;
  sum sums_[most_live][columns];
};

DWCONV_ABI_NAMESPACE_END
