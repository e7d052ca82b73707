// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/kernels/window/params.hpp>

namespace dwconv {

/// Everything the window kernel for filters known at run time is told, by value.
template <typename T>
struct runtime_window_params : window_params<T> {
  int filter_height;
  int filter_width;
  int stride_width;
  int dilation_width;
  int step_rows;
  int live;
  int last_row;     ///< Row of a step with which its oldest row of sums is finished.
  int filter_area;  ///< Bytes of shared memory before the filters.
  runtime_window_filter staged;
  fast_divisor<std::int32_t> advance;
  fast_divisor<std::int32_t> phases;
  fast_divisor<std::int32_t> residues;  ///< Threads' first output rows beside each other.
  fast_divisor<std::int32_t> taps;
  fast_divisor<std::int32_t> taps_across;
  fast_divisor<std::int32_t> stride_height;

  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy, bool turned_ = false)
    : runtime_window_params{p, tensors, policy, turned_, runtime_window_walk{p}}
  {}

 private:
  runtime_window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                        window_policy const& policy, bool turned_, runtime_window_walk const& walk)
    : window_params<T>{p, tensors, policy, turned_},
      filter_height{static_cast<int>(p.filter.height)},
      filter_width{static_cast<int>(p.filter.width)},
      stride_width{static_cast<int>(p.stride.width)},
      dilation_width{filter_width > 1 ? static_cast<int>(p.dilation.width) : 1},
      step_rows{walk.step_rows},
      live{walk.live},
      // A step of a dilated filter is one row.
      last_row{walk.step_rows > 1 ? filter_height - 1 - (walk.live - 1) * walk.advance : 0},
      filter_area{128 + this->geometry.stages *
                          (this->geometry.input_size + this->geometry.output_size) *
                          static_cast<int>(sizeof(T))},
      staged{p, static_cast<int>(sizeof(T))},
      advance{walk.advance},
      phases{walk.phases},
      residues{std::min(walk.phases, policy.tile.rows)},
      taps{static_cast<std::int32_t>(p.filter.height * p.filter.width)},
      taps_across{filter_width},
      stride_height{walk.step_rows == 1 ? 1 : walk.advance}
  {
    std::int64_t const rows = geometry::divide_up(policy.tile.rows, residues.divisor());
    this->down              = fast_divisor<std::int32_t>{static_cast<std::int32_t>(
      residues.divisor() * geometry::divide_up(rows, policy.rows_per_thread))};
  }
};

}  // namespace dwconv
