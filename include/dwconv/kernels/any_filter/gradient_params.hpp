// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/kernels/any_filter/gradient_policy.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// Everything the kernel is told, by value.
template <typename T, typename Sum>
struct any_filter_gradient_params {
  T const* x;
  T const* dy;
  Sum* partial;  ///< Of each split, a gradient of the filter.
  gradient_axis rows;
  gradient_axis columns;
  int batch;
  int channels;
  fast_divisor<std::int32_t> output_channels;
  fast_divisor<std::int32_t> multiplier;
  std::int64_t x_plane;  ///< Elements of a plane in memory,
  std::int64_t dy_plane;
  std::int64_t x_image;  ///< and from one image to the next.
  std::int64_t dy_image;
  int images;
  int units;
  int per_split;
  fast_divisor<std::int32_t> row_pieces;
  fast_divisor<std::int32_t> column_pieces;
  fast_divisor<std::int32_t> column_tiles;
  fast_divisor<std::int32_t> tiles;
  fast_divisor<std::int32_t> across;
  fast_divisor<std::int32_t> beside;
  fast_divisor<std::int32_t> groups;
  int down;
  int x_pitch;
  int x_staged;  ///< From image to image, in shared memory,
  int dy_chunk;
  int dy_staged;
  int dy_from;  ///< and from the first x to the first dy.
  int stage;    ///< Elements staged of a unit.
  bool alike;   ///< Whether the same of each is on the image.

  any_filter_gradient_params(conv2d_problem const& p, T const* x_, T const* dy_, Sum* partial_,
                             any_filter_gradient_policy const& policy)
    : any_filter_gradient_params{
        p,        x_,     dy_,
        partial_, policy, any_filter_gradient_layout{p, policy, static_cast<int>(sizeof(T))}}
  {}

 private:
  [[nodiscard]] static fast_divisor<std::int32_t> by(std::int64_t value)
  {
    return fast_divisor<std::int32_t>{static_cast<std::int32_t>(value)};
  }

  any_filter_gradient_params(conv2d_problem const& p, T const* x_, T const* dy_, Sum* partial_,
                             any_filter_gradient_policy const& policy,
                             any_filter_gradient_layout const& l)
    : x{x_},
      dy{dy_},
      partial{partial_},
      rows{l.rows},
      columns{l.columns},
      batch{static_cast<int>(p.batch)},
      channels{static_cast<int>(p.channels)},
      output_channels{by(p.output_channels())},
      multiplier{by(p.multiplier)},
      x_plane{p.input.height * p.input.width},
      dy_plane{output_extent(p).height * output_extent(p).width},
      x_image{x_plane * p.channels},
      dy_image{dy_plane * p.output_channels()},
      images{policy.images},
      units{static_cast<int>(l.units(p, policy))},
      per_split{policy.per_split},
      row_pieces{by(l.rows.all_pieces())},
      column_pieces{by(l.columns.all_pieces())},
      column_tiles{by(l.columns.all_tiles())},
      tiles{by(l.rows.all_tiles() * l.columns.all_tiles())},
      across{by(l.across)},
      beside{by(policy.beside)},
      groups{by(l.groups)},
      down{l.down},
      x_pitch{static_cast<int>(l.x_pitch)},
      x_staged{static_cast<int>(l.x_plane)},
      dy_chunk{static_cast<int>(l.dy_chunk)},
      dy_staged{static_cast<int>(l.dy_plane)},
      dy_from{static_cast<int>(policy.images * l.x_plane)},
      stage{static_cast<int>(l.stage)},
      alike{l.rows.all_pieces() == 1 && l.columns.all_pieces() == 1}
  {}
};

}  // namespace dwconv
