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
  fast_divisor<std::int32_t> across;           ///< Threads along a row.
  fast_divisor<std::int32_t> down;             ///< Threads down a plane.
  fast_divisor<std::int32_t> output_channels;
  fast_divisor<std::int32_t> taps;
  fast_divisor<std::int32_t> taps_across;
  fast_divisor<std::int32_t> lattices;
  fast_divisor<std::int32_t> run_taps;
  fast_divisor<std::int32_t> stride_height;

  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy)
    : runtime_window_params{p, tensors, policy, runtime_window_walk{p},
                            runtime_window_for(policy.live, static_cast<int>(sizeof(T)))}
  {}

 private:
  [[nodiscard]] static fast_divisor<std::int32_t> by(std::int64_t value)
  {
    return fast_divisor<std::int32_t>{static_cast<std::int32_t>(value)};
  }

  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy, runtime_window_walk const& walk,
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
      across{by(column_residues.divisor() *
                geometry::divide_up(
                  geometry::divide_up(policy.tile.columns, column_residues.divisor()),
                  size.columns))},
      down{by(residues.divisor() *
              geometry::divide_up(geometry::divide_up(policy.tile.rows, residues.divisor()),
                                  policy.rows_per_thread))},
      output_channels{by(p.output_channels())},
      taps{by(p.filter.height * p.filter.width)},
      taps_across{by(p.filter.width)},
      lattices{row.lattices},
      run_taps{row.run_taps},
      stride_height{walk.step_rows == 1 ? 1 : walk.advance}
  {}
};

}  // namespace dwconv
