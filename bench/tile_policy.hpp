// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include <dwconv/plan/planner.hpp>

namespace dwconv_bench {

/// Whether a plan is for a window kernel that was compiled for one filter: only those have tiles
/// that may be exchanged.
[[nodiscard]] constexpr bool has_window_tile(dwconv::forward_plan const& plan) noexcept
{
  return plan.outcome.ok() && plan.family == dwconv::kernel_family::window &&
         plan.compiled.taps != dwconv::extent2{0, 0};
}

[[nodiscard]] constexpr bool in_one_chunk(dwconv::conv2d_problem const& p,
                                          dwconv::tile_shape const& tile) noexcept
{
  return tile.steps >= dwconv::geometry::steps_for(p, tile.rows);
}

/// What follows from the rest of a policy: no more steps than the rows need, all rows a thread
/// where there are several chunks, threads in whole warps.
[[nodiscard]] constexpr dwconv::window_policy complete_policy(dwconv::conv2d_problem const& p,
                                                              dwconv::window_policy policy) noexcept
{
  using dwconv::window_tiles::warp_size;
  dwconv::tile_shape& tile = policy.tile;
  bool const one_chunk     = in_one_chunk(p, tile);
  tile.steps =
    static_cast<int>(std::min<std::int64_t>(tile.steps, dwconv::geometry::steps_for(p, tile.rows)));
  policy.rows_per_thread = one_chunk ? std::min(policy.rows_per_thread, tile.rows) : tile.rows;
  std::int64_t const warps =
    dwconv::geometry::divide_up(dwconv::window_tiles::threads_of(policy), warp_size);
  policy.threads = static_cast<int>(std::min<std::int64_t>(warps * warp_size, INT32_MAX));
  return policy;
}

/// Why a kernel cannot compute a problem with a completed policy, or null.
///
/// @param plan One of a window kernel for one filter.
[[nodiscard]] constexpr char const* obstacle_to_tile(dwconv::forward_plan const& plan,
                                                     dwconv::window_policy const& policy) noexcept
{
  using namespace dwconv;
  conv2d_problem const& p      = plan.problem;
  tile_shape const& tile       = policy.tile;
  int const bytes              = static_cast<int>(size_in_bytes(plan.element));
  extent2 const out            = output_extent(p);
  bool const one_chunk         = in_one_chunk(p, tile);
  window_piece_list const list = window_pieces(p.filter, p.stride, bytes);
  auto const* const end        = list.shapes + list.count;
  if (tile.planes > p.batch * p.output_channels() || tile.rows > out.height ||
      tile.columns > out.width) {
    return "larger than y";
  }
  if (std::find(list.shapes, end, policy.piece) == end) { return "no kernel for that piece"; }
  if (policy.piece.rows > 0 && (!one_chunk || policy.rows_per_thread > policy.piece.rows)) {
    return "more rows than the piece has";
  }
  if (policy.threads > window_threads) { return "too many threads"; }
  if (tile.planes > 1 && tile.columns < out.width) { return "several planes of cut rows"; }
  if (!one_chunk && tile.steps % (copy_bytes / bytes) != 0) { return "chunks end within a copy"; }
  // Planes that are not whole have a lane each, which starts their copy.
  bool const whole = geometry::measure_chunk(p, tile, bytes, 0).whole_planes;
  if (!window_tiles::has_lanes(p, tile) || (tile.planes > window_tiles::warp_size && !whole)) {
    return "more copies than lanes";
  }
  if (!window_tiles::fits(p, policy, bytes, plan.device)) { return "too much shared memory"; }
  return window_tiles::blocks_of(p, policy) > planning::most_blocks ? "too many blocks" : nullptr;
}

/// The plan with a completed policy instead of its own.
[[nodiscard]] constexpr dwconv::forward_plan with_tile(dwconv::forward_plan plan,
                                                       dwconv::window_policy const& policy) noexcept
{
  int const bytes   = static_cast<int>(size_in_bytes(plan.element));
  plan.window       = policy;
  plan.blocks       = dwconv::window_tiles::blocks_of(plan.problem, policy);
  plan.threads      = policy.threads;
  plan.shared_bytes = static_cast<int>(
    dwconv::window_tiles::shared_bytes(plan.problem, policy.tile, bytes, policy.piece.columns));
  return plan;
}

/// "tile:2,14,14,16,7,7,0": planes, rows, columns, steps, rows a thread, columns and rows of the
/// piece.
[[nodiscard]] inline std::string tile_text(dwconv::window_policy const& policy)
{
  std::string text{"tile:"};
  for (int const value : {policy.tile.planes, policy.tile.rows, policy.tile.columns,
                          policy.tile.steps, policy.rows_per_thread, policy.piece.columns}) {
    text.append(std::to_string(value)).append(",");
  }
  return text.append(std::to_string(policy.piece.rows));
}

}  // namespace dwconv_bench
