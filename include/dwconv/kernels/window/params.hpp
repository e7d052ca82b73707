// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>
#include <dwconv/staging/tile_position.hpp>

namespace dwconv {

/// Everything the window kernel is told, by value.
template <typename T>
struct window_params {
  T const* x;
  T const* x_end;
  T const* filter;
  T* y;
  tile_geometry geometry;
  tile_frame frame;
  int rows_per_thread;
  bool turned;                        ///< The filter, by 180 degrees.
  fast_divisor<std::int32_t> across;  ///< Threads along a row.
  fast_divisor<std::int32_t> down;    ///< Threads down a plane.
  fast_divisor<std::int32_t> output_channels;

  window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                window_policy const& policy, bool turned_ = false)
    : x{tensors.x},
      x_end{tensors.x + input_elements(p)},
      filter{tensors.filter},
      y{tensors.y},
      geometry{lay_out_tile(p, policy.tile, static_cast<int>(sizeof(T)),
                            window_overhang(p, policy.piece.columns))},
      frame{p},
      rows_per_thread{policy.rows_per_thread},
      turned{turned_},
      across{
        static_cast<std::int32_t>(geometry::divide_up(policy.tile.columns, policy.piece.columns))},
      down{
        static_cast<std::int32_t>(geometry::divide_up(policy.tile.rows, policy.rows_per_thread))},
      output_channels{static_cast<std::int32_t>(p.output_channels())}
  {}
};

}  // namespace dwconv
