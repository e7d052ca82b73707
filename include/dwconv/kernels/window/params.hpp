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
  T const* filter;
  T* y;
  tile_geometry geometry;
  tile_frame frame;
  int rows_per_thread;
  int pieces;                         ///< Of a tile; a piece is what one thread computes at a time.
  fast_divisor<std::int32_t> across;  ///< Pieces along a row.
  fast_divisor<std::int32_t> down;    ///< Pieces down a plane.
  fast_divisor<std::int32_t> multiplier;
  fast_divisor<std::int32_t> output_channels;

  window_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                window_policy const& policy, int columns_per_thread)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      geometry{lay_out_tile(p, policy.tile, static_cast<int>(sizeof(T)),
                            window_overhang(p, columns_per_thread))},
      frame{p},
      rows_per_thread{policy.rows_per_thread},
      across{geometry::round_up(policy.tile.columns, columns_per_thread) / columns_per_thread},
      down{geometry::round_up(policy.tile.rows, policy.rows_per_thread) / policy.rows_per_thread},
      multiplier{static_cast<std::int32_t>(p.multiplier)},
      output_channels{static_cast<std::int32_t>(p.output_channels())}
  {
    pieces = across.divisor() * down.divisor() * policy.tile.planes * multiplier.divisor();
  }
};

}  // namespace dwconv
