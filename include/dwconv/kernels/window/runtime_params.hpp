// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/window/runtime_policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// Where a thread's outputs begin in a tile: beside each other, below each other, then plane by
/// plane, or below each other first.
template <typename Params>
struct thread_place {
  int plane;
  int row;
  int column;

  [[nodiscard]] static DWCONV_HOST_DEVICE thread_place of(Params const& p, int thread)
  {
    int const line    = p.inner.quotient(thread);
    int const plane   = p.outer.quotient(line);
    int const nearer  = thread - line * p.inner.divisor();
    int const further = line - plane * p.outer.divisor();
    int const down    = p.down_first ? nearer : further;
    int const along   = p.down_first ? further : nearer;
    int const segment = p.residues.quotient(down);
    int const group   = p.column_residues.quotient(along);
    return {
      plane,
      segment * p.rows_per_thread * p.phases.divisor() + down - segment * p.residues.divisor(),
      group * p.columns_per_thread * p.column_phases.divisor() + along -
        group * p.column_residues.divisor()};
  }
};

/// Everything the window kernel for filters known at run time is told, by value.
template <typename T>
struct runtime_window_params {
  T const* x;
  T const* x_end;
  T const* filter;
  T* y;
  tile_geometry geometry;
  tile_frame frame;
  runtime_window_row row;
  runtime_window_filter staged;
  bool turned;  ///< The filter, by 180 degrees.
  int rows_per_thread;
  int columns_per_thread;
  int step_rows;
  int live;
  int last_row;     ///< Row of a step with which its oldest row of sums is finished.
  int filter_area;  ///< Bytes of shared memory before the filters.
  fast_divisor<std::int32_t> advance;
  fast_divisor<std::int32_t> phases;
  fast_divisor<std::int32_t> residues;         ///< Threads' first output rows beside each other,
  fast_divisor<std::int32_t> column_residues;  ///< and first output columns.
  fast_divisor<std::int32_t> distance;         ///< Of `row`,
  fast_divisor<std::int32_t> column_phases;    ///< and its phases.
  fast_divisor<std::int32_t> inner;            ///< Threads along a row, or down a plane,
  fast_divisor<std::int32_t> outer;            ///< and the other of the two.
  bool down_first;                             ///< Neighbouring threads are below each other.
  fast_divisor<std::int32_t> output_channels;
  fast_divisor<std::int32_t> taps;
  fast_divisor<std::int32_t> taps_across;
  fast_divisor<std::int32_t> lattices;
  fast_divisor<std::int32_t> run_taps;
  fast_divisor<std::int32_t> stride_height;

  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy, bool turned_ = false)
    : runtime_window_params{p,
                            tensors,
                            policy,
                            turned_,
                            runtime_window_walk{p},
                            runtime_window_size_of(policy.number, static_cast<int>(sizeof(T)))}
  {}

 private:
  [[nodiscard]] static fast_divisor<std::int32_t> by(std::int64_t value)
  {
    return fast_divisor<std::int32_t>{static_cast<std::int32_t>(value)};
  }

  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy, bool turned_, runtime_window_walk const& walk,
                        runtime_window_size const& size)
    : x{tensors.x},
      x_end{tensors.x + input_elements(p)},
      filter{tensors.filter},
      y{tensors.y},
      geometry{lay_out_tile(p, policy.tile, static_cast<int>(sizeof(T)),
                            runtime_window_overhang(p, size))},
      frame{p},
      row{p, size.taps},
      staged{walk, row},
      turned{turned_},
      rows_per_thread{policy.rows_per_thread},
      columns_per_thread{size.columns},
      step_rows{walk.step_rows},
      live{walk.live},
      // A step of a dilated filter is one row.
      last_row{walk.step_rows > 1
                 ? static_cast<int>(p.filter.height) - 1 - (walk.live - 1) * walk.advance
                 : 0},
      filter_area{128 + geometry.stages * (geometry.input_size + geometry.output_size) *
                          static_cast<int>(sizeof(T))},
      advance{walk.advance},
      phases{walk.phases},
      residues{std::min(walk.phases, policy.tile.rows)},
      column_residues{std::min(row.phases, policy.tile.columns)},
      distance{row.distance},
      column_phases{row.phases},
      output_channels{by(p.output_channels())},
      taps{by(p.filter.height * p.filter.width)},
      taps_across{by(p.filter.width)},
      lattices{row.lattices},
      run_taps{row.run_taps},
      stride_height{walk.step_rows == 1 ? 1 : walk.advance}
  {
    std::int64_t const beside = geometry::divide_up(policy.tile.columns, column_residues.divisor());
    std::int64_t const below  = geometry::divide_up(policy.tile.rows, residues.divisor());
    auto const across =
      by(column_residues.divisor() * geometry::divide_up(beside, columns_per_thread));
    auto const down = by(residues.divisor() * geometry::divide_up(below, policy.rows_per_thread));
    inner           = across;
    outer           = down;
    down_first      = false;
    int const along_rows = busiest_bank();
    inner                = down;
    outer                = across;
    down_first           = true;
    if (busiest_bank() >= along_rows) {
      inner      = across;
      outer      = down;
      down_first = false;
    }
  }

  /// Words of one bank of shared memory that a full warp reads at the same time, at most, in the
  /// order of threads there is.
  [[nodiscard]] int busiest_bank() const
  {
    constexpr int banks = 32 * 4 / static_cast<int>(sizeof(T) == 8 ? 8 : 4);  // of 8 bytes, 16
    constexpr int lanes = sizeof(T) == 8 ? 16 : 32;
    int words[lanes]{};
    int most = 0;
    for (int lane = 0; lane < lanes; ++lane) {
      auto const at = thread_place<runtime_window_params>::of(*this, lane);
      std::int64_t const of =
        static_cast<std::int64_t>(at.plane) * geometry.input_plane +
        static_cast<std::int64_t>(at.row) * frame.stride_height * geometry.input_pitch +
        static_cast<std::int64_t>(at.column) * frame.stride_width;
      words[lane] = static_cast<int>(sizeof(T) == 2 ? of / 2 % (1 << 30) : of % (1 << 30));
      int same    = 1;
      bool again  = false;
      for (int l = 0; l < lane; ++l) {
        again = again || words[l] == words[lane];
        same += words[l] % banks == words[lane] % banks ? 1 : 0;
      }
      if (!again && same > most) { most = same; }
    }
    return most;
  }
};

}  // namespace dwconv
