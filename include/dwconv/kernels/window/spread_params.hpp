// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/window/spread_policy.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// Everything the kernel that spreads dy over dx is told, by value.
template <typename T>
struct spread_params {
  T const* dy;
  T const* dy_end;
  T const* filter;
  T* dx;
  tile_geometry geometry;
  tile_frame frame;
  int rows_per_thread;  ///< Groups of rows.
  int height;           ///< Of dx.
  int pad_top;
  int pad_left;
  int groups;                         ///< Of columns.
  fast_divisor<std::int32_t> across;  ///< Threads along a row.
  fast_divisor<std::int32_t> down;    ///< Threads down a plane.
  fast_divisor<std::int32_t> channels;
  fast_divisor<std::int32_t> multiplier;

  spread_params(conv2d_problem const& p, backward_data_tensors<T> const& tensors,
                window_policy const& policy)
    : dy{tensors.dy},
      dy_end{tensors.dy + output_elements(p)},
      filter{tensors.filter},
      dx{tensors.dx},
      geometry{lay_out_spread(p, policy.tile, static_cast<int>(sizeof(T)), policy.piece.columns)},
      frame{spread_frame(p)},
      rows_per_thread{policy.rows_per_thread},
      height{static_cast<int>(p.input.height)},
      pad_top{static_cast<int>(p.pad.top)},
      pad_left{static_cast<int>(p.pad.left)},
      groups{static_cast<int>(spread_columns(p).groups)},
      across{static_cast<std::int32_t>(geometry::divide_up(groups, policy.piece.columns))},
      down{
        static_cast<std::int32_t>(geometry::divide_up(policy.tile.rows, policy.rows_per_thread))},
      channels{static_cast<std::int32_t>(p.channels)},
      multiplier{static_cast<std::int32_t>(p.multiplier)}
  {}
};

}  // namespace dwconv
