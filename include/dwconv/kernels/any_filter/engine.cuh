// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/convert.cuh>
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

  /// Threads beside each other have lattices of columns beside each other, then groups of columns,
  /// then planes, then rows: a warp's threads have few places in the rows, and skip the same
  /// padding.
  template <typename Params>
  [[nodiscard]] static __device__ any_filter_piece_place of(Params const& p,
                                                            any_filter_tile const& t, int index)
  {
    int const plane_row = p.pieces_across.quotient(index);
    int const across    = index - plane_row * p.pieces_across.divisor();
    int const down      = p.tile_planes.quotient(plane_row);
    int const plane     = plane_row - down * p.tile_planes.divisor();
    any_filter_piece_place at;
    at.image   = p.tile_channels.quotient(plane);
    at.channel = plane - at.image * p.tile_channels.divisor();
    at.row     = first(p.rows, p.row_lattices, p.piece.rows, down);
    at.column  = first(p.columns, p.column_lattices, p.piece.columns, across);
    at.rows    = count(p.rows, p.piece.rows, t.rows - at.row);
    at.columns = count(p.columns, p.piece.columns, t.columns - at.column);
    if (index >= p.pieces || at.image >= t.images || at.channel >= t.channels || at.columns == 0) {
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

/// Four neighbouring taps of a filter, read at once.
template <typename Sum>
struct alignas(16) any_filter_quad {
  Sum taps[4];
};

/// The sums of one thread's outputs. Each staged row is read once for all rows of outputs that it
/// touches. Taps are added row by row, in each from left to right.
template <typename Sum, int Rows, int Columns>
class any_filter_engine {
 public:
  Sum const* x;       ///< Lattice element 0 of the thread's first lattice row.
  int x_step;         ///< To the next row of its lattice.
  Sum const* filter;  ///< Of its channel, in quads.
  int height;         ///< Taps down.
  int row_step;       ///< Lattice rows from one output to the next,
  int column_step;    ///< and lattice elements.
  Sum sums[Rows][Columns];

  __device__ void clear()
  {
#pragma unroll
    for (int i = 0; i < Rows; ++i) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) { sums[i][v] = Sum(0); }
    }
  }

  /// Adds lattice rows [first_row, end_row), of each taps [first_tap, end_tap).
  __device__ void walk(int first_row, int end_row, int first_tap, int end_tap)
  {
    if (first_tap >= end_tap) { return; }
    for (int u = first_row; u < end_row; ++u) {
      Sum const* const row  = x + u * x_step + first_tap;
      Sum const* const taps = filter + ((first_tap >> 2) * height + u) * 4;
      rows_met const met{max(u - height + 1, 0), min(u, Rows - 1)};
      if (column_step != 1 || row_step != 1) {
        add_row<mode::strided>(row, taps, met, u, first_tap, end_tap);
      } else if (met.first == 0 && met.last == Rows - 1) {
        add_row<mode::all>(row, taps, met, u, first_tap, end_tap);
      } else {
        add_row<mode::some>(row, taps, met, u, first_tap, end_tap);
      }
    }
  }

 private:
  /// Rows of sums that a row of x meets, where they are neighbours on their lattice: all of them
  /// far from the ends of the filter, which asks nothing of a row; some; or, with strides, those
  /// that are asked.
  enum class mode { all, some, strided };
  struct rows_met {
    int first;
    int last;
  };

  template <mode Mode>
  __device__ void add_row(Sum const* row, Sum const* taps, rows_met met, int u, int t, int end)
  {
    for (; t + 4 <= end; t += 4) {
      add_taps<4, Mode>(row, taps, met, u);
      row += 4;
      taps += height * 4;
    }
    switch (end - t) {
      case 1: add_taps<1, Mode>(row, taps, met, u); break;
      case 2: add_taps<2, Mode>(row, taps, met, u); break;
      case 3: add_taps<3, Mode>(row, taps, met, u); break;
      default: break;
    }
  }

  /// The first Count taps of a quad, for the rows of sums that meet them.
  template <int Count, mode Mode>
  __device__ void add_taps(Sum const* row, Sum const* taps, rows_met met, int u)
  {
    constexpr bool strided = Mode == mode::strided;
    Sum value[strided ? Columns * Count : Columns + Count - 1];
    if constexpr (strided) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) {
#pragma unroll
        for (int k = 0; k < Count; ++k) { value[v * Count + k] = row[v * column_step + k]; }
      }
#pragma unroll
      for (int i = 0; i < Rows; ++i) {
        int const above = i * row_step;
        if (static_cast<unsigned>(u - above) < static_cast<unsigned>(height)) {
          add_to<Count, Count>(sums[i], value, taps - above * 4);
        }
      }
      return;
    } else {
#pragma unroll
      for (int k = 0; k < Columns + Count - 1; ++k) { value[k] = row[k]; }
    }
    if constexpr (Mode == mode::all) {
#pragma unroll
      for (int i = 0; i < Rows; ++i) { add_to<Count, 1>(sums[i], value, taps - i * 4); }
    } else if constexpr (Mode == mode::some) {
      add_to_some<Count>(value, taps, met);
    }
  }

  /// Enters at the last row and leaves after the first: cheaper than to ask each.
  template <int Count, int Reads>
  __device__ void add_to_some(Sum const (&value)[Reads], Sum const* taps, rows_met met)
  {
    static_assert(Rows <= 7, "a case for each row of sums");
    auto const add = [&](auto row) {
      constexpr int i = decltype(row)::value;
      if constexpr (i < Rows) { add_to<Count, 1>(sums[i], value, taps - i * 4); }
      return met.first < i;
    };
    switch (met.last) {
      case 6:
        if (!add(std::integral_constant<int, 6>{})) { break; }
        [[fallthrough]];
      case 5:
        if (!add(std::integral_constant<int, 5>{})) { break; }
        [[fallthrough]];
      case 4:
        if (!add(std::integral_constant<int, 4>{})) { break; }
        [[fallthrough]];
      case 3:
        if (!add(std::integral_constant<int, 3>{})) { break; }
        [[fallthrough]];
      case 2:
        if (!add(std::integral_constant<int, 2>{})) { break; }
        [[fallthrough]];
      case 1:
        if (!add(std::integral_constant<int, 1>{})) { break; }
        [[fallthrough]];
      default: add(std::integral_constant<int, 0>{});
    }
  }

  /// One row of sums; from one of its columns to the next, values are Step apart.
  template <int Count, int Step, int Reads>
  static __device__ void add_to(Sum (&row)[Columns], Sum const (&value)[Reads], Sum const* taps)
  {
    auto const quad = *reinterpret_cast<any_filter_quad<Sum> const*>(taps);
#pragma unroll
    for (int k = 0; k < Count; ++k) {
#pragma unroll
      for (int v = 0; v < Columns; ++v) {
        row[v] = multiply_add(value[v * Step + k], quad.taps[k], row[v]);
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
