// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/window_cost.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

namespace window_tiles {

inline constexpr int warp_size = 32;

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr int even_part(std::int64_t whole, std::int64_t most) noexcept
{
  std::int64_t const parts = geometry::divide_up(whole, most);
  return static_cast<int>(geometry::divide_up(whole, parts));
}

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p, tile_shape const& tile,
                                                  int element_bytes, int columns) noexcept
{
  return 128 + tile_elements(p, tile, element_bytes, window_overhang(p, columns)) * element_bytes;
}

[[nodiscard]] constexpr std::int64_t blocks_of(conv2d_problem const& p,
                                               window_policy const& policy) noexcept
{
  extent2 const out = output_extent(p);
  return geometry::divide_up(p.batch * p.output_channels(), policy.tile.planes) *
         geometry::divide_up(out.height, policy.tile.rows) *
         geometry::divide_up(out.width, policy.tile.columns);
}

/// Whether a warp has a lane for each run of a chunk, which starts its copy.
[[nodiscard]] constexpr bool has_lanes(conv2d_problem const& p, tile_shape const& tile) noexcept
{
  if (tile.columns >= output_extent(p).width) { return true; }  // a run a plane
  bool const one_chunk    = tile.steps >= geometry::steps_for(p, tile.rows);
  std::int64_t const rows = one_chunk ? (tile.rows - 1) * p.stride.height + p.filter.height
                                      : tile.steps * p.stride.height;
  return std::max<std::int64_t>(rows, one_chunk ? tile.rows : 0) <= warp_size;
}

[[nodiscard]] constexpr bool fits(conv2d_problem const& p, window_policy const& policy,
                                  int element_bytes, device_facts const& device) noexcept
{
  return shared_bytes(p, policy.tile, element_bytes, policy.piece.columns) <=
         device.shared_bytes_per_block;
}

[[nodiscard]] constexpr std::int64_t threads_of(window_policy const& policy) noexcept
{
  return geometry::divide_up(policy.tile.columns, policy.piece.columns) *
         geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes;
}

/// Looks for the tile of the least cost among some of every kind.
class search {
 public:
  constexpr search(conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
    : p_{p},
      element_bytes_{element_bytes},
      device_{device},
      cost_{p, element_bytes, device},
      out_{output_extent(p)},
      live_{geometry::live_rows(p)},
      planes_{std::max<std::int64_t>(p.batch * p.output_channels(), 1)}
  {
    window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
    // Where nothing fits: as little as there is.
    best_.piece        = list.shapes[list.count - 1];
    best_.tile.columns = static_cast<int>(std::min<std::int64_t>(out_.width, best_.piece.columns));
    best_.tile.steps   = static_cast<int>(live_);
    for (int i = 0; i < list.count; ++i) {
      tried_.piece = list.shapes[i];
      std::int64_t const all = geometry::divide_up(out_.width, tried_.piece.columns);
      if (all <= window_threads) { try_columns(out_.width); }
      for (int warps = 1; warps <= 3 && all > warps * warp_size; ++warps) {
        try_columns(even_part(out_.width, std::int64_t{warps} * warp_size * tried_.piece.columns));
      }
    }
  }

  [[nodiscard]] constexpr window_policy best() const noexcept { return best_; }

 private:
  /// Rows of one thread of a tile in one chunk, if it has more of them; rows of a tile, if a plane has
  /// as many.
  static constexpr int longest_walk = 28, least_walk = 4, least_rows = 7;

  constexpr void try_columns(std::int64_t columns) noexcept
  {
    if (columns == tried_.tile.columns && tried_.piece == last_piece_) { return; }
    tried_.tile.columns = static_cast<int>(columns);
    last_piece_         = tried_.piece;
    across_             = geometry::divide_up(columns, tried_.piece.columns);
    // All rows, a half, a third, a quarter, a sixth, an eighth, and so on.
    for (std::int64_t parts = 1, before = 0; parts <= out_.height;
         parts += parts == 1 ? 1 : (parts & (parts - 1)) == 0 ? parts / 2 : parts / 3) {
      std::int64_t const rows = geometry::divide_up(out_.height, parts);
      if (rows == before) { continue; }
      if (rows < least_rows && parts > 1 && found_) { break; }
      before           = rows;
      tried_.tile.rows = static_cast<int>(rows);
      try_rows(static_cast<int>(rows));
    }
  }

  constexpr void try_rows(int rows) noexcept
  {
    std::int64_t const steps = rows + live_ - 1;
    // In one chunk, each thread all rows or a part of them.
    tried_.tile.steps = static_cast<int>(steps);
    if (tried_.piece.rows > 0) {
      tried_.rows_per_thread = std::min(rows, tried_.piece.rows);
      try_planes();
      return;
    }
    for (int parts = 1, before = 0; parts <= rows && across_ * parts <= window_threads; ++parts) {
      int walk = static_cast<int>(geometry::divide_up(rows, parts));
      // Threads an odd number of rows apart meet different banks.
      if (parts > 1 && walk % 2 == 0) { ++walk; }
      if (walk == before || walk > longest_walk) { continue; }
      if (walk < least_walk && parts > 1) { break; }
      before                 = walk;
      tried_.rows_per_thread = walk;
      try_planes();
    }
    // In several chunks.
    tried_.rows_per_thread = rows;
    for (int chunk : {4, 8, 16}) {
      if (chunk * element_bytes_ % copy_bytes != 0 || steps < 2 * chunk) { continue; }
      tried_.tile.steps = chunk;
      try_planes();
    }
  }

  /// One plane, or as many as fill some warps.
  constexpr void try_planes() noexcept
  {
    std::int64_t const threads =
      across_ * geometry::divide_up(tried_.tile.rows, tried_.rows_per_thread);
    if (threads > window_threads) { return; }
    bool const joins        = tried_.tile.columns == out_.width;
    std::int64_t const most = joins ? std::min(planes_, most_planes) : 1;
    for (std::int64_t lanes = warp_size, before = 0; lanes <= window_threads; lanes += warp_size) {
      std::int64_t const planes = std::clamp<std::int64_t>(lanes / threads, 1, most);
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
    double const here = cost_.of(tried_, least_);
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
  window_policy best_{};
  double least_ = 1e300;
  bool found_   = false;
};

}  // namespace window_tiles

/// Chooses a tile: of some of every kind the one of the least cost. The problem's planes have
/// extents of at most 2^24.
[[nodiscard]] constexpr window_policy choose_window_policy(conv2d_problem const& p,
                                                           int element_bytes,
                                                           device_facts const& device) noexcept
{
  using namespace window_tiles;
  window_policy policy = search{p, element_bytes, device}.best();
  policy.threads = static_cast<int>(geometry::divide_up(threads_of(policy), warp_size)) * warp_size;
  return policy;
}

}  // namespace dwconv
