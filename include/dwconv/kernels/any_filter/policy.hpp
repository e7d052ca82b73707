// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/staging/lattice_tile.hpp>

namespace dwconv {

/// How one block of the window family's kernel for any filter covers the output: one piece of the
/// tile a thread.
struct any_filter_policy {
  lattice_tile tile;
  int threads = 32;
  /// Whether the kernel is used whose threads have few rows and many columns.
  bool wide                                                                            = false;
  friend constexpr bool operator==(any_filter_policy const&, any_filter_policy const&) = default;
};

/// Most threads of a block, which bounds the registers a thread may have.
inline constexpr int any_filter_threads = 256;
/// Blocks of that many that a multiprocessor's registers shall hold: 128 registers a thread. With
/// three, 80, the 49 sums leave so few that the compiler spills.
inline constexpr int any_filter_blocks = 2;

/// Outputs of one thread, whose sums are in registers.
///
/// Columns are odd, so that threads beside each other meet different banks. Seven by seven, since
/// the planes of most networks are 7, 14, 28, 56 or 112 wide; of doubles as many as registers hold.
/// Where many columns suit a plane they read fewer rows of x, and taps, for each multiply-add; this
/// outweighs that two threads meet in each bank.
[[nodiscard]] constexpr lattice_piece any_filter_sums(int element_bytes, bool wide) noexcept
{
  return element_bytes == 8 ? lattice_piece{4, 5}
         : wide             ? lattice_piece{4, 14}
                            : lattice_piece{7, 7};
}

/// Whether a plane of y is one row, each output of one row of taps: then a thread's rows of sums
/// are runs of that row, one after the other.
[[nodiscard]] constexpr bool any_filter_folds(conv2d_problem const& p) noexcept
{
  return p.filter.height == 1 && output_extent(p).height == 1;
}

/// Whether there is a wide kernel for a problem: its outputs are neighbours on their lattices.
[[nodiscard]] constexpr bool any_filter_may_be_wide(conv2d_problem const& p,
                                                    int element_bytes) noexcept
{
  bool const neighbours =
    p.dilation.height % p.stride.height == 0 && p.dilation.width % p.stride.width == 0;
  return element_bytes < 8 && neighbours && !any_filter_folds(p);
}

/// Outputs of one thread, as they lie in y.
[[nodiscard]] constexpr lattice_piece any_filter_piece(conv2d_problem const& p, int element_bytes,
                                                       bool wide) noexcept
{
  lattice_piece const sums = any_filter_sums(element_bytes, wide);
  return any_filter_folds(p) ? lattice_piece{1, sums.rows * sums.columns} : sums;
}

/// How threads share the pieces of a tile. Those of one place down the plane fill whole warps, but
/// where too many would have nothing to do.
struct any_filter_slots {
  int down;         ///< Places down the plane,
  int of_row;       ///< threads of each,
  int used_of_row;  ///< and those that have a piece.
  int inner;        ///< Neighbours: pieces across a plane, or planes.
  bool planes_first;

  constexpr any_filter_slots(lattice_layout const& l, lattice_piece piece) noexcept
    : down{l.rows.pieces(piece.rows)},
      of_row{l.columns.pieces(piece.columns) * l.tile.images * l.tile.channels},
      used_of_row{of_row},
      inner{l.columns.pieces(piece.columns)},
      planes_first{l.tile.images * l.tile.channels >= warp_size}
  {
    if (planes_first) { inner = l.tile.images * l.tile.channels; }
    int const whole = (of_row + warp_size - 1) / warp_size * warp_size;
    if (whole * 3 <= of_row * 4) { of_row = whole; }
  }

  [[nodiscard]] constexpr int threads() const noexcept
  {
    return (down * of_row + warp_size - 1) / warp_size * warp_size;
  }

 private:
  static constexpr int warp_size = 32;
};

/// Bytes of a staged element, which is of the type that products are summed in.
[[nodiscard]] constexpr int any_filter_staged_bytes(int element_bytes) noexcept
{
  return element_bytes == 8 ? 8 : 4;
}

}  // namespace dwconv
