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

/// What a block stages at most, for many to share a multiprocessor, and groups of rows of a tile
/// that passes through shared memory in chunks. Found on an H200 (docs/tuning.md).
inline constexpr int small_block = 24 * 1024, strip = 32;
inline constexpr int small_block_of_several = 36 * 1024;  // planes of dy under one of dx

/// Groups of rows that a thread walks down in one chunk: each walk takes `ramp` rows of dy that the
/// one above it takes as well, which costs more the more taps there are; several filters a channel
/// are work enough for short walks.
[[nodiscard]] constexpr int walk_of(conv2d_problem const& p, int element_bytes) noexcept
{
  if (p.filter.height > 3) { return 12; }
  if (p.multiplier > 3) { return 3; }
  return element_bytes == 2 ? 8 : 6;
}

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p,
                                                  window_policy const& policy,
                                                  int element_bytes) noexcept
{
  return spread_shared_bytes(p, lay_out_spread(p, policy.tile, element_bytes, policy.piece.columns),
                             element_bytes);
}

/// Threads along a row of dx.
[[nodiscard]] constexpr std::int64_t across(conv2d_problem const& p, int columns) noexcept
{
  return geometry::divide_up(spread_columns(p).groups, columns);
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
  policy.piece           = {spread_piece(p.filter, p.stride, element_bytes), 0};
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
  if (across(p, least.piece.columns) > spread_threads) { return "rows are longer than a block"; }
  if (shared_bytes(p, least, element_bytes) > device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  // Tiles that are chosen are no smaller.
  return lay_out_spread(p, least.tile, element_bytes, least.piece.columns).tiles > INT32_MAX
           ? "dx needs more blocks than one launch has"
           : nullptr;
}

/// A tile that passes through shared memory in chunks, of as many planes as give a few warps work.
[[nodiscard]] constexpr window_policy in_chunks(conv2d_problem const& p, int element_bytes,
                                                device_facts const& device) noexcept
{
  constexpr int threads   = 3 * window_tiles::warp_size;
  window_policy policy    = least_tile(p, element_bytes);
  window_policy wider     = policy;
  std::int64_t const most = threads / across(p, policy.piece.columns);
  wider.tile.planes =
    static_cast<int>(std::clamp<std::int64_t>(most, 1, std::max(most_planes(p), 1)));
  if (element_bytes == 2) { wider.tile.steps *= 2; }
  return shared_bytes(p, wider, element_bytes) <= device.shared_bytes_per_sm / 4 ? wider : policy;
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
  constexpr int warp        = window_tiles::warp_size;
  spread_axis const rows    = spread_rows(p);
  window_policy policy      = least_tile(p, element_bytes);
  std::int64_t const beside = across(p, policy.piece.columns);
  // Long filters, and those of halves whose sums leave a thread few columns, walk far.
  bool const far = rows.ramp > 5 || (element_bytes == 2 && p.stride.height > 1 && rows.ramp > 1);
  auto const one_chunk = [&](std::int64_t walk, std::int64_t walks, int planes) {
    policy.rows_per_thread = even_part(rows.groups, walk);
    policy.tile.rows   = static_cast<int>(std::min(walks * policy.rows_per_thread, rows.groups));
    policy.tile.steps  = static_cast<int>(policy.tile.rows + rows.ramp);
    policy.tile.planes = planes;
    return shared_bytes(p, policy, element_bytes) <=
           (p.multiplier > 1 ? small_block_of_several : small_block);
  };
  // Shorter walks, but of more rows than they share, until a tile is small.
  int const longest = walk_of(p, element_bytes);
  std::int64_t const least_walk =
    std::min<std::int64_t>(longest, std::max<std::int64_t>(2, 2 * rows.ramp));
  bool small = false;
  for (int walk = longest; walk >= least_walk && !far && !small; --walk) {
    std::int64_t const below = geometry::divide_up(rows.groups, even_part(rows.groups, walk));
    if (beside * below <= warp) {
      auto planes =
        static_cast<int>(std::min<std::int64_t>(warp / (beside * below), most_planes(p)));
      while (!(small = one_chunk(walk, below, planes)) && planes > 1) { planes /= 2; }
    } else {
      std::int64_t const threads = rows.ramp > 1 ? 4 * warp : element_bytes == 2 ? warp : 2 * warp;
      std::int64_t const least   = geometry::divide_up(warp, beside);
      std::int64_t walks         = std::min(std::max(threads / beside, least), below);
      while (!(small = one_chunk(walk, walks, 1)) && walks > least) { --walks; }
    }
  }
  if (!small) { policy = in_chunks(p, element_bytes, device); }
  policy.threads = static_cast<int>(
    geometry::divide_up(
      beside * geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes,
      warp) *
    warp);
  return policy;
}

}  // namespace dwconv
