// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/fast_divisor.hpp>
#include <dwconv/kernels/any_filter/policy.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

/// How a block's threads share the elements of rows, or of planes: `lanes` threads a row, which
/// take `length` in steps of `lanes`, several rows at a time.
struct row_split {
  int length = 1;
  int rows   = 1;  ///< At a time; threads past rows * lanes have none.
  fast_divisor<std::int32_t> lanes{1};

  row_split() = default;
  /// Of the ways to cut a row into up to eight steps, that which leaves the fewest threads idle.
  constexpr row_split(int length_, int threads) noexcept : length{length_}
  {
    if (length <= 0) { return; }
    int const least        = (length + threads - 1) / threads;
    int best               = 0;
    std::int64_t most_busy = -1;
    for (int steps = least; steps < least + 8; ++steps) {
      int const width         = (length + steps - 1) / steps;
      std::int64_t const busy = std::int64_t{length} * (threads / width) * 1024 / steps;
      if (busy > most_busy) { most_busy = busy, best = width; }
    }
    lanes = fast_divisor<std::int32_t>{best};
    rows  = threads / best;
  }
};

/// Neighbouring elements of x that one copy moves: 16 bytes, or fewer where some row would begin
/// amid such a piece. Half types are converted one by one.
template <typename T>
[[nodiscard]] int any_filter_copied(T const* x, int vector)
{
  constexpr int most = sizeof(T) < 4 ? 1 : 16 / static_cast<int>(sizeof(T));
  int copied         = vector < most ? vector : most;
  while (reinterpret_cast<std::uintptr_t>(x) % (static_cast<unsigned>(copied) * sizeof(T)) != 0) {
    copied /= 2;
  }
  return copied;
}

/// Everything the kernel is told, by value.
template <typename T>
struct any_filter_params {
  T const* x;
  T const* filter;
  T* y;
  lattice_tile tile;
  lattice_axis rows;
  lattice_axis columns;
  lattice_piece piece;
  bool folded;   ///< See any_filter_folds.
  bool turned;   ///< The filter, by 180 degrees.
  int images;    ///< Of the problem.
  int channels;  ///< Output channels of the problem.
  int problem_input_channels;
  int input_plane;   ///< Elements of a plane of x,
  int output_plane;  ///< and of y.
  int input_channels;
  int row_pitch;
  int plane_pitch;
  int input_size;
  int tail_size;
  int filter_pitch;
  fast_divisor<std::int32_t> multiplier;
  fast_divisor<std::int32_t> channel_tiles;
  fast_divisor<std::int32_t> row_tiles;
  fast_divisor<std::int32_t> column_tiles;
  int vector;  ///< Staged elements lie that far apart as columns of x do, modulo this;
  int copied;  ///< elements of one copy.
  fast_divisor<std::int32_t> staged_row;  ///< Copies of a staged row.
  fast_divisor<std::int32_t> phase_pitch;
  fast_divisor<std::int32_t> tail;  ///< At least 1.
  fast_divisor<std::int32_t> tile_channels;
  fast_divisor<std::int32_t> tile_planes;
  fast_divisor<std::int32_t> tile_columns;
  fast_divisor<std::int32_t> filter_height;
  fast_divisor<std::int32_t> filter_width;
  fast_divisor<std::int32_t> row_slots;    ///< Threads of one place down the plane,
  fast_divisor<std::int32_t> inner_slots;  ///< and those of them that are neighbours in the plane,
  bool planes_first;                       ///< or beside each other in different planes.
  int slots;                               ///< Those of row_slots that have something to do.
  fast_divisor<std::int32_t> row_lattices;
  fast_divisor<std::int32_t> column_lattices;
  row_split loads;
  row_split stores;

  any_filter_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                    any_filter_policy const& policy, bool turned_ = false)
    : any_filter_params{
        p, tensors, policy, turned_,
        lattice_layout{p, policy.tile,
                       any_filter_piece(p, static_cast<int>(sizeof(T)), policy.wide)}}
  {}

 private:
  using divisor = fast_divisor<std::int32_t>;

  [[nodiscard]] static divisor by(std::int64_t value)
  {
    return divisor{static_cast<std::int32_t>(value)};
  }

  any_filter_params(conv2d_problem const& p, forward_tensors<T> const& tensors,
                    any_filter_policy const& policy, bool turned_, lattice_layout const& layout)
    : x{tensors.x},
      filter{tensors.filter},
      y{tensors.y},
      tile{policy.tile},
      rows{layout.rows},
      columns{layout.columns},
      piece{any_filter_piece(p, static_cast<int>(sizeof(T)), policy.wide)},
      folded{any_filter_folds(p)},
      turned{turned_},
      images{static_cast<int>(p.batch)},
      channels{static_cast<int>(p.output_channels())},
      problem_input_channels{static_cast<int>(p.channels)},
      input_plane{static_cast<int>(p.input.height * p.input.width)},
      output_plane{layout.rows.output * layout.columns.output},
      input_channels{layout.input_channels},
      row_pitch{static_cast<int>(layout.row_pitch)},
      plane_pitch{static_cast<int>(layout.plane_pitch)},
      input_size{static_cast<int>(layout.input_size)},
      tail_size{static_cast<int>(layout.tail)},
      filter_pitch{static_cast<int>(layout.filter_pitch)},
      multiplier{by(p.multiplier)},
      channel_tiles{by(layout.channel_tiles)},
      row_tiles{by(layout.rows.tiles())},
      column_tiles{by(layout.columns.tiles())},
      phase_pitch{by(layout.phase_pitch)},
      tail{by(layout.tail > 0 ? layout.tail : 1)},
      tile_channels{by(tile.channels)},
      tile_planes{by(std::int64_t{tile.images} * tile.channels)},
      tile_columns{by(tile.columns)},
      filter_height{by(p.filter.height)},
      filter_width{by(p.filter.width)},
      row_lattices{by(layout.rows.lattices())},
      column_lattices{by(layout.columns.lattices())},
      stores{tile_planes.divisor() == 1 ? tile.columns : tile.rows * tile.columns, policy.threads}
  {
    any_filter_slots const shared_out{layout, piece};
    row_slots    = by(shared_out.of_row);
    inner_slots  = by(shared_out.inner);
    planes_first = shared_out.planes_first;
    slots        = shared_out.used_of_row;

    vector                 = layout.vector;
    copied                 = any_filter_copied(tensors.x, vector);
    std::int64_t const row = layout.row_pitch / copied;
    staged_row             = by(row);
    loads = {static_cast<int>(tile.images * input_channels == 1 ? row : layout.staged_rows * row),
             policy.threads};
  }
};

}  // namespace dwconv
