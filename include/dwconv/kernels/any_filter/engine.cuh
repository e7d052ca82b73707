// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/any_filter/params.hpp>
#include <dwconv/kernels/any_filter/tile.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Which outputs of a tile one thread computes: some of one lattice of rows and one of columns.
struct any_filter_piece_place {
  int image;    ///< Of the tile's,
  int channel;  ///< as this.
  int row;      ///< First, counted from the tile's first; the next are a lattice's phases apart.
  int rows;     ///< None where there is nothing to do.
  int column;
  int columns;

  /// A warp's threads have few places down the plane, and thus the same rows in the padding. Beside
  /// each other they have lattices of columns beside each other, then groups of columns, then
  /// planes; or planes first, where there is a warp of them: then they share padded columns too.
  template <typename Params>
  [[nodiscard]] static __device__ any_filter_piece_place of(Params const& p,
                                                            any_filter_tile const& t, int index)
  {
    int const down  = p.row_slots.quotient(index);
    int const slot  = index - down * p.row_slots.divisor();
    int const outer = p.inner_slots.quotient(slot);
    int const inner = slot - outer * p.inner_slots.divisor();
    int const plane = p.planes_first ? inner : outer;
    any_filter_piece_place at;
    at.image   = p.tile_channels.quotient(plane);
    at.channel = plane - at.image * p.tile_channels.divisor();
    at.row     = first(p.rows, p.row_lattices, p.piece.rows, down);
    at.column =
      first(p.columns, p.column_lattices, p.piece.columns, p.planes_first ? outer : inner);
    at.rows    = count(p.rows, p.piece.rows, t.rows - at.row);
    at.columns = count(p.columns, p.piece.columns, t.columns - at.column);
    if (slot >= p.slots || at.image >= t.images || at.channel >= t.channels || at.columns == 0) {
      at.rows = 0;
    }
    return at;
  }

 private:
  [[nodiscard]] static __device__ int first(lattice_axis const& axis,
                                            fast_divisor<std::int32_t> const& lattices, int most,
                                            int piece)
  {
    int const group = lattices.quotient(piece);
    return group * most * axis.phases.divisor() + piece - group * lattices.divisor();
  }

  [[nodiscard]] static __device__ int count(lattice_axis const& axis, int most, int left)
  {
    return left > 0 ? min(most, axis.phases.quotient_up(left)) : 0;
  }
};

/// The taps of one axis that are not in the padding for every output of a thread.
struct any_filter_taps {
  int lattice;  ///< Which of the axis' lattices the thread is on,
  int element;  ///< and the element of it under its first output's first tap.
  int first;
  int end;

  /// `count` outputs from number `output` of the tile on. Taps are counted from the first output's
  /// first; output i's first is i * step further.
  [[nodiscard]] static __device__ any_filter_taps of(lattice_axis const& axis,
                                                     lattice_window const& window, int output,
                                                     int count)
  {
    int const mark = output * axis.step;
    any_filter_taps taps;
    taps.element = axis.phases.quotient(mark);
    taps.lattice = mark - taps.element * axis.phases.divisor();
    taps.first   = window.first > mark ? axis.phases.quotient_up(window.first - mark) : 0;
    taps.end     = window.end > mark ? axis.phases.quotient_up(window.end - mark) : 0;
    taps.end     = min(taps.end, (count - 1) * axis.step + axis.taps);
    return taps;
  }
};

/// Numbers from one on, up to another.
struct any_filter_range {
  int first = 0;
  int end   = 0;

  [[nodiscard]] __device__ bool holds(int number) const { return number >= first && number < end; }

  /// From the least of a warp's ranges to the most, the same for all its lanes; empty ones do not
  /// count. All 32 lanes call it.
  [[nodiscard]] __device__ any_filter_range of_warp() const
  {
    constexpr int none = 1 << 30;
    int least          = first < end ? first : none;
    int most           = first < end ? end : 0;
#pragma unroll
    for (int mask = warp_lanes / 2; mask > 0; mask /= 2) {
      least = min(least, shuffle_xor(least, mask));
      most  = max(most, shuffle_xor(most, mask));
    }
    // From one lane, so that the compiler sees that branches on them do not part a warp.
    return {shuffle(least, 0), shuffle(most, 0)};
  }
};

/// Four neighbouring taps of a filter, read at once.
template <typename Sum>
struct alignas(16) any_filter_quad {
  Sum taps[4];
};

/// The sums of one thread's outputs. Each staged row is read once for all rows of outputs that it
/// touches. Taps are added row by row, in each from left to right.
///
/// @tparam MayStride Whether rows or columns of outputs may be further apart on their lattice.
template <typename Sum, int Rows, int Columns, bool MayStride>
class any_filter_engine {
 public:
  Sum const* x;           ///< Lattice element 0 of the thread's first lattice row.
  int x_step;             ///< To the next row of its lattice.
  Sum const* filter;      ///< Of its channel, in eights.
  int height;             ///< Taps down.
  int row_step;           ///< Lattice rows from one output to the next,
  int column_step;        ///< and lattice elements.
  any_filter_range rows;  ///< Lattice rows on the image,
  any_filter_range taps;  ///< and of each filter row the taps that are not all in the padding.
  Sum sums[Rows][Columns];

  __device__ void clear()
  {
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) { sums[i][v] = Sum(0); }
    }
  }

  /// Adds all rows. A warp's lanes go through the same rows and taps, so that they read the same
  /// taps and part nowhere, but that a lane is idle at a row it has no use for. All 32 call it.
  __device__ void walk()
  {
    any_filter_range const warp_rows = rows.of_warp();
    any_filter_range warp_taps       = taps.of_warp();
    if (warp_rows.first >= warp_rows.end) { return; }
    warp_taps.first -= warp_taps.first % 4;
    int const skipped = warp_taps.first % 8;
    // Shuffled, so that it stays in a register.
    int const column = shuffle(height * 8, 0);
    place at{x + warp_rows.first * x_step + warp_taps.first,
             filter + (warp_taps.first / 8 * column + warp_rows.first * 8 + skipped), column,
             warp_rows.first, 0};
    bool const strided = MayStride && (column_step != 1 || row_step != 1);
    for (; at.u < warp_rows.end; ++at.u) {
      if (rows.holds(at.u)) {
        if (strided) {
          if constexpr (MayStride) {
            add_row<4, true>(at, warp_taps.end - warp_taps.first, skipped);
          }
        } else {
          at.met = rows_met(at.u);
          add_row<8, false>(at, warp_taps.end - warp_taps.first, skipped);
        }
      }
      at.row += x_step;
      at.four += 8;
    }
  }

 private:
  /// Neighbouring taps of a filter row.
  template <int Count>
  struct tap_run {
    any_filter_quad<Sum> fours[(Count + 3) / 4];

    __device__ explicit tap_run(Sum const* from)
    {
#pragma unroll
      for (int q = 0; q < (Count + 3) / 4; ++q) {
        fours[q] = *reinterpret_cast<any_filter_quad<Sum> const*>(from + q * 4);
      }
    }

    /// Reads them now and not where they are first used.
    __device__ void stay()
    {
      static_assert(sizeof(Sum) == 4);
#pragma unroll
      for (int k = 0; k < Count; ++k) {
        unsigned bits;
        memcpy(&bits, &fours[k / 4].taps[k % 4], sizeof bits);
        bits = opaque(bits);
        memcpy(&fours[k / 4].taps[k % 4], &bits, sizeof bits);
      }
    }

    /// To one row of sums; from one of its columns to the next, values are Step apart.
    template <int Step, int Reads>
    __device__ void add_to(Sum (&row)[Columns], Sum const (&value)[Reads]) const
    {
#pragma unroll
      for (int k = 0; k < Count; ++k) {
#pragma unroll
        for (int v = 0; v < Columns; ++v) {
          row[v] = multiply_add(value[v * Step + k], fours[k / 4].taps[k % 4], row[v]);
        }
      }
    }
  };

  static constexpr unsigned all_rows = (1u << Rows) - 1;
  /// Whether there are registers to read the next row's taps before they are needed.
  static constexpr bool reads_ahead = sizeof(Sum) == 4;

  /// Where a walk is.
  struct place {
    Sum const* row;
    Sum const* four;  ///< Taps, in the filter row that the first row of sums meets.
    int column;       ///< Elements from eight taps of a filter row to the next eight.
    int u;            ///< Number of the lattice row.
    unsigned met;     ///< A bit for each row of sums that meets it, where nothing is strided.
  };

  /// A lattice row, up to Most taps at a time; the first of the filter's eights without some.
  template <int Most, bool Strided>
  __device__ void add_row(place at, int left, int skipped)
  {
    if constexpr (Strided) {
      for (; left >= 4; left -= 4, skipped ^= 4) {
        add_taps<4, true>(at);
        at.row += 4;
        at.four += skipped == 0 ? 4 : at.column - 4;
      }
    } else {
      if (skipped > 0 && left >= 4) {
        add_taps<4, false>(at);
        at.row += 4;
        at.four += at.column - 4;
        left -= 4;
      }
      for (; left >= 8; left -= 8) {
        add_taps<8, false>(at);
        at.row += 8;
        at.four += at.column;
      }
    }
    add_rest<0, Most - 1, Strided>(left, at);
  }

  [[nodiscard]] __device__ unsigned rows_met(int u) const
  {
    unsigned const begun = u < Rows ? all_rows >> (Rows - 1 - u) : all_rows;
    int const over       = u - height + 1;
    return over > 0 ? begun & (all_rows << over) : begun;
  }

  /// Most taps at most.
  template <int Least, int Most, bool Strided>
  __device__ void add_rest(int left, place const& at)
  {
    if constexpr (Least == Most) {
      if constexpr (Most > 0) { add_taps<Most, Strided>(at); }
    } else {
      constexpr int middle = (Least + Most + 1) / 2;
      if (left >= middle) {
        add_rest<middle, Most, Strided>(left, at);
      } else {
        add_rest<Least, middle - 1, Strided>(left, at);
      }
    }
  }

  /// Count neighbouring taps for the rows of sums that meet them.
  template <int Count, bool Strided>
  __device__ void add_taps(place const& at)
  {
    if constexpr (Strided) {
      Sum value[Columns * Count];
#pragma unroll
      for (int v = 0; v < Columns; ++v) {
#pragma unroll
        for (int k = 0; k < Count; ++k) { value[v * Count + k] = at.row[v * column_step + k]; }
      }
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        int const above = i * row_step;
        if (static_cast<unsigned>(at.u - above) < static_cast<unsigned>(height)) {
          tap_run<Count>{at.four - above * 8}.template add_to<Count>(sums[i], value);
        }
      }
    } else {
      Sum value[Columns + Count - 1];
#pragma unroll
      for (int k = 0; k < Columns + Count - 1; ++k) { value[k] = at.row[k]; }
      if (Count == 8 && at.met == all_rows) {
#pragma unroll
        for (int i = 0; i < Rows; ++i) {
          tap_run<Count>{at.four - i * 8}.template add_to<1>(sums[i], value);
        }
        return;
      }
      if constexpr (reads_ahead) {
        tap_run<Count> own{at.four};
#pragma unroll
        for (int i = 0; i < Rows; ++i) {
          tap_run<Count> next = own;
          if (i + 1 < Rows) {
            next = tap_run<Count>{at.four - (i + 1) * 8};
            next.stay();
          }
          if ((at.met >> i & 1) != 0) { own.template add_to<1>(sums[i], value); }
          own = next;
        }
      } else {
#pragma unroll
        for (int i = 0; i < Rows; ++i) {
          if ((at.met >> i & 1) != 0) {
            tap_run<Count>{at.four - i * 8}.template add_to<1>(sums[i], value);
          }
        }
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
