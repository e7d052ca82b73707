// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/spread_policy.hpp>
#include <dwconv/plan/window_room.hpp>
#include <dwconv/problem/tensors.hpp>

// Tiles for the kernels that spread dy over dx.

namespace dwconv {

namespace spread_tiles {

/// Groups of rows that a thread walks down in one chunk, and of a tile that passes through shared
/// memory in chunks; and what a block may stage for many to share a multiprocessor.
inline constexpr int walk = 8, strip = 32, small_block = 40 * 1024;

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p,
                                                  window_policy const& policy,
                                                  int element_bytes) noexcept
{
  return spread_shared_bytes(lay_out_spread(p, policy.tile, element_bytes, policy.piece.columns),
                             element_bytes);
}

/// Threads along a row of dx.
[[nodiscard]] constexpr std::int64_t across(conv2d_problem const& p, int columns) noexcept
{
  return geometry::divide_up(spread_columns(p).groups, columns);
}

/// The piece that wastes least where rows end.
[[nodiscard]] constexpr int choose_columns(conv2d_problem const& p, int element_bytes) noexcept
{
  spread_pieces const list = spread_pieces_of(p.filter, p.stride, element_bytes);
  int best                 = list.columns[0];
  for (int i = 1; i < list.count; ++i) {
    if (across(p, list.columns[i]) * list.columns[i] * 9 < across(p, best) * best * 8) {
      best = list.columns[i];
    }
  }
  return best;
}

/// Planes whose dy a warp has lanes for, which start their copies.
[[nodiscard]] constexpr int most_planes(conv2d_problem const& p) noexcept
{
  return static_cast<int>(std::min<std::int64_t>(window_tiles::warp_size / p.multiplier,
                                                 std::max<std::int64_t>(p.batch * p.channels, 1)));
}

/// The smallest tile: a group of rows after the other, in chunks of as few as keep their distance
/// to a copy's boundary.
[[nodiscard]] constexpr window_policy least_tile(conv2d_problem const& p,
                                                 int element_bytes) noexcept
{
  window_policy policy{};
  policy.piece           = {choose_columns(p, element_bytes), 0};
  policy.tile.columns    = static_cast<int>(p.input.width);
  policy.tile.rows       = static_cast<int>(std::min<std::int64_t>(spread_rows(p).groups, strip));
  policy.tile.steps      = copy_bytes / element_bytes;
  policy.rows_per_thread = policy.tile.rows;
  return policy;
}

/// Why a problem that there is a kernel for has no tile, or null.
[[nodiscard]] constexpr char const* obstacle(conv2d_problem const& p, int element_bytes,
                                             device_facts const& device) noexcept
{
  constexpr std::int64_t most_groups = 1 << 24;
  if (std::max(spread_rows(p).groups, spread_columns(p).groups) > most_groups) {
    return "the planes are too long";
  }
  if (p.multiplier > window_tiles::warp_size) {
    return "a warp has fewer lanes than a channel has filters";
  }
  window_policy const least = least_tile(p, element_bytes);
  if (across(p, least.piece.columns) > window_threads) { return "rows are longer than a block"; }
  if (shared_bytes(p, least, element_bytes) > device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  // Tiles that are chosen are no smaller.
  return lay_out_spread(p, least.tile, element_bytes, least.piece.columns).tiles > INT32_MAX
           ? "dx needs more blocks than one launch has"
           : nullptr;
}

}  // namespace spread_tiles

/// Chooses a tile for a problem without `spread_tiles::obstacle`. Goes by ranges, never by single
/// sizes.
[[nodiscard]] constexpr window_policy choose_spread_policy(conv2d_problem const& p,
                                                           int element_bytes,
                                                           device_facts const& device) noexcept
{
  using namespace spread_tiles;
  using window_tiles::even_part;
  std::int64_t const groups = spread_rows(p).groups;
  std::int64_t const ramp   = spread_rows(p).ramp;
  window_policy policy      = least_tile(p, element_bytes);
  std::int64_t const beside = across(p, policy.piece.columns);
  auto const bytes          = [&] { return shared_bytes(p, policy, element_bytes); };
  auto const one_chunk      = [&](std::int64_t rows) {
    policy.tile.rows  = static_cast<int>(rows);
    policy.tile.steps = static_cast<int>(rows + ramp);
  };
  constexpr int warp            = window_tiles::warp_size;
  window_policy const in_chunks = policy;
  policy.rows_per_thread        = even_part(groups, walk);
  std::int64_t const below      = geometry::divide_up(groups, policy.rows_per_thread);
  if (beside * below <= 2 * warp) {
    one_chunk(groups);
    int const most = most_planes(p);
    while (policy.tile.planes < most &&
           beside * below * (policy.tile.planes + 1) <= window_threads) {
      ++policy.tile.planes;
      if (bytes() > small_block) {
        --policy.tile.planes;
        break;
      }
      // Whole warps are enough.
      if (beside * below * policy.tile.planes % warp == 0) { break; }
    }
  } else if (beside <= 2 * warp) {
    std::int64_t const segments = std::min(below, std::max<std::int64_t>(2 * warp / beside, 2));
    one_chunk(std::min(segments * policy.rows_per_thread, groups));
  }
  if (policy.tile.steps < policy.tile.rows + ramp || bytes() > device.shared_bytes_per_block) {
    policy = in_chunks;
  }
  policy.threads = static_cast<int>(
    geometry::divide_up(
      beside * geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes,
      warp) *
    warp);
  return policy;
}

}  // namespace dwconv
