// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/plan/window_cost.hpp>
#include <dwconv/plan/window_room.hpp>

namespace dwconv {

namespace window_tiles {

/// Looks for the tile of the least cost among some of every kind, for filters that are bound by
/// their multiply-adds.
class tall_search {
 public:
  constexpr tall_search(conv2d_problem const& p, int element_bytes,
                        device_facts const& device) noexcept
    : p_{p},
      element_bytes_{element_bytes},
      device_{device},
      cost_{p, element_bytes, device},
      out_{output_extent(p)},
      live_{geometry::live_rows(p)},
      planes_{std::max<std::int64_t>(p.batch * p.output_channels(), 1)},
      best_{least_tile(p, element_bytes)}
  {
    window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
    for (int i = 0; i < list.count; ++i) {
      if (list.shapes[i].rows > 0) { continue; }
      tried_.piece           = list.shapes[i];
      std::int64_t const all = geometry::divide_up(out_.width, tried_.piece.columns);
      if (all <= window_threads) { try_columns(out_.width); }
      for (int warps = 1; warps <= 2 && all > warps * warp_size; ++warps) {
        try_columns(part_of_row(out_.width, std::int64_t{warps} * warp_size * tried_.piece.columns,
                                element_bytes_));
      }
    }
  }

  [[nodiscard]] constexpr window_policy best() const noexcept { return best_; }

 private:
  /// Rows of a tile, if a plane has as many, and of one that is longer than that.
  static constexpr int least_rows = 8, most_rows = 400;
  /// Of a multiprocessor: three times what it holds.
  static constexpr int enough_warps = 48;

  constexpr void try_columns(std::int64_t columns) noexcept
  {
    if (columns == tried_.tile.columns && tried_.piece == last_piece_) { return; }
    tried_.tile.columns             = static_cast<int>(columns);
    last_piece_                     = tried_.piece;
    across_                         = geometry::divide_up(columns, tried_.piece.columns);
    std::int64_t const column_tiles = geometry::divide_up(out_.width, columns);
    // All rows, a half, a third, and so on until there is enough to do; of many parts not each
    // number of them.
    for (std::int64_t parts = 1; parts <= out_.height;
         parts += std::max<std::int64_t>(parts / 4, 1)) {
      std::int64_t const rows = geometry::divide_up(out_.height, parts);
      if (rows > most_rows && out_.height > most_rows) { continue; }
      if (rows < least_rows && parts > 1 && found_) { break; }
      tried_.tile.rows = static_cast<int>(rows);
      try_rows(static_cast<int>(rows));
      std::int64_t const warps =
        planes_ * column_tiles * geometry::divide_up(out_.height, rows) * across_ / warp_size;
      if (warps >= std::int64_t{device_.multiprocessors} * enough_warps) { break; }
    }
  }

  /// Each thread walks down all rows, in one chunk or several.
  constexpr void try_rows(int rows) noexcept
  {
    int const steps        = rows + static_cast<int>(live_) - 1;
    tried_.rows_per_thread = rows;
    for (int chunk : {4, 8, steps}) {
      if (chunk > steps || (chunk < steps && chunk * element_bytes_ % copy_bytes != 0)) {
        continue;
      }
      tried_.tile.steps = chunk;
      try_planes();
    }
  }

  /// One plane, or as many as fill some warps.
  constexpr void try_planes() noexcept
  {
    bool const joins        = tried_.tile.columns == out_.width;
    std::int64_t const most = joins ? std::min(planes_, most_planes) : 1;
    for (std::int64_t lanes = warp_size, before = 0; lanes <= window_threads; lanes += warp_size) {
      std::int64_t const planes = std::clamp<std::int64_t>(lanes / across_, 1, most);
      if (planes == before) { continue; }
      before             = planes;
      tried_.tile.planes = static_cast<int>(planes);
      take();
    }
  }

  constexpr void take() noexcept
  {
    if (!has_lanes(p_, tried_.tile)) { return; }
    if (!fits(p_, tried_, element_bytes_, device_)) { return; }
    // In one chunk only what leaves room for as many warps as registers do.
    bool const one_chunk = tried_.tile.steps >= tried_.tile.rows + live_ - 1;
    if (found_ && one_chunk && cost_.crowded(tried_)) { return; }
    double const here = cost_.of(tried_);
    if (found_ && here >= least_) { return; }
    best_ = tried_, least_ = here, found_ = true;
  }

  static constexpr std::int64_t most_planes = 32;

  conv2d_problem const& p_;
  int element_bytes_;
  device_facts const& device_;
  window_cost cost_;
  extent2 out_;
  std::int64_t live_;
  std::int64_t planes_;
  std::int64_t across_ = 1;
  window_piece_shape last_piece_{0, 0};
  window_policy tried_{};
  window_policy best_;
  double least_ = 1e300;
  bool found_   = false;
};

}  // namespace window_tiles

}  // namespace dwconv
