// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/policy.hpp>

namespace dwconv {

/// One of the kernels compiled for filters, strides and dilations known at run time only.
struct runtime_window_size {
  int least_live;  ///< Rows of sums: there is code for each number from this
  int live;        ///< to this.
  int taps;        ///< Neighbouring ones that it takes at a time at most.
  int columns;     ///< A thread's.
  int blocks;      ///< Of the most threads, that a multiprocessor's registers shall hold.
};

/// How many there are.
inline constexpr int runtime_window_sizes = 6;

/// Most threads of their blocks.
inline constexpr int runtime_window_threads = 256;

/// By rows of sums, then by taps. Columns are an odd number of words, as in `window_pieces`; fewer,
/// the more rows of sums there are.
[[nodiscard]] constexpr runtime_window_size runtime_window_size_of(int number,
                                                                   int element_bytes) noexcept
{
  constexpr runtime_window_size of_float[]  = {{1, 1, 8, 7, 3}, {1, 1, 16, 7, 2}, {2, 3, 5, 7, 3},
                                               {4, 5, 5, 7, 2}, {6, 8, 7, 5, 2},  {9, 16, 1, 3, 2}};
  constexpr runtime_window_size of_half[]   = {{1, 1, 8, 6, 3}, {1, 1, 16, 6, 2}, {2, 3, 4, 6, 3},
                                               {4, 5, 5, 6, 2}, {6, 8, 7, 6, 2},  {9, 16, 1, 2, 2}};
  constexpr runtime_window_size of_double[] = {{1, 1, 8, 3, 2}, {1, 1, 16, 3, 2}, {2, 3, 5, 7, 2},
                                               {4, 5, 5, 5, 1}, {6, 8, 5, 3, 1},  {9, 16, 1, 1, 2}};
  return element_bytes == 2   ? of_half[number]
         : element_bytes == 8 ? of_double[number]
                              : of_float[number];
}

/// Rows of sums of the largest.
inline constexpr int runtime_window_most_live = 16;

/// How a thread walks down a filter known at run time: in steps, one an output row of its. A
/// dilated filter's taps are neighbours if rows of x between them are left out, and with them the
/// output rows that lie there: those are another thread's.
struct runtime_window_walk {
  int step_rows;  ///< Rows of x that a step takes, one below the other.
  int advance;    ///< From a step's first row of x to the next step's.
  int phases;     ///< From one output row of a thread to its next.
  int live;       ///< Output rows of a thread that a row of x can reach.
  bool possible;  ///< Not if filter and stride leave out different rows.

  explicit constexpr runtime_window_walk(conv2d_problem const& p) noexcept
    : step_rows{static_cast<int>(std::min(p.filter.height, p.stride.height))},
      advance{static_cast<int>(p.stride.height)},
      phases{1},
      live{static_cast<int>((p.filter.height + p.stride.height - 1) / p.stride.height)},
      possible{true}
  {
    if (p.filter.height > 1 && p.dilation.height > 1) {
      step_rows = 1;
      advance   = static_cast<int>(p.dilation.height);
      phases    = static_cast<int>(p.dilation.height / p.stride.height);
      live      = static_cast<int>(p.filter.height);
      possible  = p.dilation.height % p.stride.height == 0;
    }
  }
};

/// How a thread reads a row of x, so that its outputs share what it has read. Its outputs lie
/// `phases` apart, and what they need of x for one tap `distance` apart. Taps that are as far apart
/// form a *lattice*: there one output's next element is its neighbour's. A stride without dilation
/// makes a lattice of every `lattices`-th tap, and where nothing is shared each tap is one. Of each
/// lattice up to so many taps as a kernel takes at a time are a *run*.
struct runtime_window_row {
  int distance;       ///< Elements of x, from one output of a thread to its next.
  int phases;         ///< Outputs of the row, likewise.
  int lattices;       ///< That the taps lie on.
  int lattice_apart;  ///< Elements from one lattice's first tap to the next one's.
  int lattice_taps;   ///< Of the first `full_lattices`; the others have one less.
  int full_lattices;
  int run_taps;  ///< At most.
  int runs;      ///< Along the row.

  /// @param p    Whose rows are walked.
  /// @param most Taps of a run at most.
  constexpr runtime_window_row(conv2d_problem const& p, int most) noexcept
    : distance{static_cast<int>(p.stride.width)}, phases{1}, lattices{1}, lattice_apart{1}
  {
    int const width    = static_cast<int>(p.filter.width);
    int const dilation = static_cast<int>(p.dilation.width);
    // So far apart that a thread for every place between them would be too many: nothing is shared.
    extent2 const out  = output_extent(p);
    bool const crowded = std::min<std::int64_t>(dilation / distance, out.width) *
                           std::min<std::int64_t>(runtime_window_walk{p}.phases, out.height) >
                         runtime_window_threads;
    if (width > 1 && dilation % distance == 0 && !crowded) {
      phases   = dilation / distance;
      distance = dilation;
    } else if (width > 1 && dilation == 1) {
      lattices = std::min(distance, width);
    } else if (width > 1) {
      lattices      = width;
      lattice_apart = dilation;
    }
    lattice_taps    = (width + lattices - 1) / lattices;
    full_lattices   = width - (lattice_taps - 1) * lattices;
    int const along = (lattice_taps + most - 1) / most;
    run_taps        = (lattice_taps + along - 1) / along;
    runs            = lattices * along;
  }
};

/// The number of the kernel for a filter that needs at most `runtime_window_most_live` rows of
/// sums: of those for as many, the first that takes a lattice's taps at a time, or the last.
[[nodiscard]] constexpr int runtime_window_number(conv2d_problem const& p,
                                                  int element_bytes) noexcept
{
  int const live = runtime_window_walk{p}.live;
  int const taps = runtime_window_row{p, 1}.lattice_taps;
  int number     = 0;
  while (runtime_window_size_of(number, element_bytes).live < live) { ++number; }
  bool const more = number + 1 < runtime_window_sizes &&
                    runtime_window_size_of(number + 1, element_bytes).least_live <= live;
  return more && taps > runtime_window_size_of(number, element_bytes).taps ? number + 1 : number;
}

/// Elements before and after a staged row that threads of a run-time window may read, and pay no
/// attention to.
[[nodiscard]] constexpr std::int64_t runtime_window_overhang(
  conv2d_problem const& p, runtime_window_size const& size) noexcept
{
  std::int64_t const distance = runtime_window_row{p, size.taps}.distance;
  return (size.columns + size.taps) * distance + std::max(p.pad.left, p.pad.right);
}

/// From one staged tap of a run to the next: the taps that are a stride apart down the filter lie
/// between, in whole reads.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr int runtime_window_tap_pitch(int live) noexcept
{
  return live == 1 ? 1 : (live + 3) / 4 * 4;
}

/// Where the filters of a tile lie in shared memory, in the type of sums: of each plane, of each
/// row of a step, of each run, of each tap of it, the taps down the filter that are a stride apart,
/// the first first.
struct runtime_window_filter {
  int tap_pitch;
  int run_pitch;  ///< From one run to the next,
  int row_pitch;  ///< from one row of a step to the next,
  int plane_pitch;

  constexpr runtime_window_filter(runtime_window_walk const& walk,
                                  runtime_window_row const& row) noexcept
    : tap_pitch{runtime_window_tap_pitch(walk.live)},
      run_pitch{(row.run_taps * tap_pitch + 3) / 4 * 4},
      row_pitch{row.runs * run_pitch},
      // A tap is read ahead. An odd number of 16 bytes of float: threads on planes beside each
      // other meet other banks.
      plane_pitch{((walk.step_rows * row_pitch + tap_pitch + 3) / 4 | 1) * 4}
  {}
};

}  // namespace dwconv
