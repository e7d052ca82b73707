// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/spread_policy.hpp>
#include <dwconv/plan/window_room.hpp>
#include <dwconv/problem/tensors.hpp>

// Tiles for the kernels that spread dy over dx.

namespace dwconv {

namespace spread_tiles {

/// Groups of rows of a tile that passes through shared memory in chunks.
inline constexpr int strip = 32;

/// What is tried for tiles that are staged in one go: walks, in groups of rows, for filters that do
/// not reach far; warps a block, and bytes it stages.
inline constexpr int longest_walk = 16, longest_ramp = 5, most_warps = 4, most_bytes = 48 * 1024;

/// What their cost reckons with, chosen for how it orders tiles that were timed on an H200, 21
/// pairs of 12 shapes (docs/tuning.md): what a thread does beside its walk, in steps; how much
/// longer steps take where a tile takes the room of two; what of its time a last wave of blocks
/// adds; and what a block adds for each warp that waits for its slowest.
inline constexpr int fixed_steps = 3;
inline constexpr double crowding = 1, last_wave = 0.8, for_a_warp = 0.15;

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

/// What a tile costs that is staged in one go: steps of lanes, idle ones as well, for each group of
/// rows.
[[nodiscard]] constexpr double cost_of(conv2d_problem const& p, int element_bytes,
                                       device_facts const& device, window_policy const& policy,
                                       std::int64_t bytes) noexcept
{
  constexpr std::int64_t registers = 65536, set_aside = 1024, most_blocks = 32;
  spread_axis const rows   = spread_rows(p);
  std::int64_t const warps = policy.threads / window_tiles::warp_size;
  std::int64_t const each  = spread_registers(p.filter, p.stride, policy.piece.columns,
                                              static_cast<std::size_t>(element_bytes));
  // As many warps as registers have room for hide each other's waiting, if their tiles find room
  // too.
  auto const room =
    static_cast<double>(device.shared_bytes_per_sm * window_tiles::warp_size * each) /
    static_cast<double>(registers);
  double const crowded =
    std::max(static_cast<double>(bytes) / (static_cast<double>(warps) * room), 1.0);
  std::int64_t const resident = std::clamp<std::int64_t>(
    std::min(device.shared_bytes_per_sm / (bytes + set_aside), registers / (each * policy.threads)),
    1, most_blocks);
  std::int64_t const strips = geometry::divide_up(rows.groups, policy.tile.rows);
  std::int64_t const blocks = std::max<std::int64_t>(
    geometry::divide_up(p.batch * p.channels, policy.tile.planes) * strips, 1);
  double const waves =
    static_cast<double>(blocks) /
    static_cast<double>(std::max<std::int64_t>(device.multiprocessors, 1) * resident);
  auto const steps = static_cast<double>((policy.rows_per_thread + rows.ramp + fixed_steps) *
                                         policy.threads * strips);
  return steps / static_cast<double>(rows.groups * policy.tile.planes) *
         (1 + crowding * (crowded - 1)) * (1 + last_wave / waves) *
         (1 + for_a_warp * static_cast<double>(warps - 1));
}

/// A tile that is staged in one go, and what it costs.
struct whole_tile {
  window_policy policy{};
  double cost =
    0;  ///< Steps of a lane for each group of rows, made longer where few warps hide them.
};

/// A tile of `warps` warps, each thread of which walks down `walk` groups of rows; nothing if a row
/// is longer than that.
[[nodiscard]] constexpr std::optional<whole_tile> tile_of(conv2d_problem const& p,
                                                          int element_bytes,
                                                          device_facts const& device, int walk,
                                                          int warps) noexcept
{
  window_policy policy      = least_tile(p, element_bytes);
  spread_axis const rows    = spread_rows(p);
  std::int64_t const beside = across(p, policy.piece.columns);
  std::int64_t const below  = geometry::divide_up(rows.groups, walk);
  std::int64_t const places = warps * window_tiles::warp_size / beside;
  if (places == 0) { return {}; }
  policy.rows_per_thread = walk;
  policy.threads         = warps * window_tiles::warp_size;
  policy.tile.rows       = static_cast<int>(std::min(std::min(places, below) * walk, rows.groups));
  policy.tile.planes     = static_cast<int>(
    std::min<std::int64_t>(std::max<std::int64_t>(places / below, 1), most_planes(p)));
  policy.tile.steps = static_cast<int>(policy.tile.rows + rows.ramp);

  std::int64_t const bytes = shared_bytes(p, policy, element_bytes);
  if (bytes > std::min<std::int64_t>(most_bytes, device.shared_bytes_per_block)) { return {}; }
  return whole_tile{policy, cost_of(p, element_bytes, device, policy, bytes)};
}

}  // namespace spread_tiles

/// Chooses a tile for a problem without `spread_tiles::obstacle`. Goes by ranges, never by single
/// sizes.
[[nodiscard]] constexpr window_policy choose_spread_policy(conv2d_problem const& p,
                                                           int element_bytes,
                                                           device_facts const& device) noexcept
{
  using namespace spread_tiles;
  spread_axis const rows = spread_rows(p);
  std::optional<whole_tile> best;
  // Each walk takes `ramp` rows of dy that the one above it takes as well. Long filters walk far,
  // in chunks.
  int before = 0;
  for (int most = longest_walk;
       rows.ramp <= longest_ramp && most >= std::max<std::int64_t>(rows.ramp, 2); --most) {
    int const walk = window_tiles::even_part(rows.groups, most);
    if (walk == before) { continue; }
    before = walk;
    for (int warps = 1; warps <= most_warps; ++warps) {
      auto const tile = tile_of(p, element_bytes, device, walk, warps);
      if (tile && (!best || tile->cost < best->cost)) { best = tile; }
    }
  }
  if (best) { return best->policy; }
  window_policy policy = in_chunks(p, element_bytes, device);
  policy.threads =
    static_cast<int>(geometry::divide_up(across(p, policy.piece.columns) * policy.tile.planes,
                                         window_tiles::warp_size) *
                     window_tiles::warp_size);
  return policy;
}

}  // namespace dwconv
