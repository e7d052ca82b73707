// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/window/spread_policy.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

namespace dwconv {

/// Whether half types go to where dx is kept as words of two neighbours, and which of a thread's
/// columns is the first of a word.
enum class spread_words : std::uint8_t {
  none,  ///< Rows begin in the middle of a word, or have an odd length.
  from_first,
  from_second,  ///< The first column and the last are halves of words of neighbouring threads.
};

/// The same for all rows and threads: these own an even number of columns.
template <typename T>
[[nodiscard]] spread_words spread_words_of(conv2d_problem const& p, T const* dx) noexcept
{
  bool const whole = sizeof(T) == 2 && p.input.width % 2 == 0 &&
                     reinterpret_cast<std::uintptr_t>(dx) % (2 * sizeof(T)) == 0;
  if (!whole) { return spread_words::none; }
  return p.pad.left % 2 == 0 ? spread_words::from_first : spread_words::from_second;
}

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
  int groups;  ///< Of columns.
  spread_words words;
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
      words{spread_words_of(p, tensors.dx)},
      across{static_cast<std::int32_t>(geometry::divide_up(groups, policy.piece.columns))},
      down{
        static_cast<std::int32_t>(geometry::divide_up(policy.tile.rows, policy.rows_per_thread))},
      channels{static_cast<std::int32_t>(p.channels)},
      multiplier{static_cast<std::int32_t>(p.multiplier)}
  {}
};

}  // namespace dwconv
