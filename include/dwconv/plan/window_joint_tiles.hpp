// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <dwconv/kernels/window/joint_policy.hpp>
#include <dwconv/plan/window_filter_tiles.hpp>

namespace dwconv {

/// Filters that the window family has a kernel of both gradients for, at stride 1.
inline constexpr std::array window_joint_filters{extent2{3, 3}, extent2{3, 1}};

namespace window_joint_tiles {

using window_filter_tiles::aims;

/// Steps of a strip, where strips are as low as they may be,
inline constexpr int fewest_steps = 8;
/// which they are where a multiprocessor has fewer warps.
inline constexpr std::int64_t least_warps = 7;

/// What a block aims for, found on an H200 with CUDA 13.0 (docs/tuning.md has the figures).
[[nodiscard]] constexpr aims aims_for(conv2d_problem const& p, int element_bytes) noexcept
{
  std::int64_t const across =
    geometry::divide_up(p.input.width, window_filter_columns(p.filter, element_bytes));
  aims aim{};
  aim.row_lanes    = 32;
  aim.thread_bytes = aim.window_bytes = 352;
  aim.across                          = 72;
  aim.least_steps                     = 32;
  aim.block_bytes                     = 4 * 1024;
  if (element_bytes == 2) {
    // Rows that fill a block by themselves come in smaller chunks. To begin costs instructions, of
    // which half types have as many an element and half the bytes.
    aim.block_bytes  = 32 * 1024;
    aim.plane_bytes  = 6 * 1024;
    aim.lanes        = 64;
    aim.row_lanes    = 64;
    aim.thread_bytes = across >= 64 ? 224 : 272;
    aim.window_bytes = 224;
    aim.across       = 64;
  } else if (element_bytes == 8) {
    aim.plane_bytes = 56 * 1024;
    aim.across      = 128;
  }
  // Few threads below each other where there are many along a row.
  if (across * geometry::divide_up(p.input.height, aim.segment) > window_filter_threads) {
    aim.segment *= 2;
  }
  // A large plane is a block's whole work: to stage another meanwhile costs more than it gives.
  std::int64_t const plane = 2 * p.input.height * p.input.width * element_bytes;
  aim.stages               = plane > 16 * 1024 ? 1 : 2;
  return aim;
}

/// The problem with as many columns of dy as of x: tiles are shared out by columns of x, and take
/// about as much room.
[[nodiscard]] constexpr conv2d_problem evened(conv2d_problem p) noexcept
{
  p.pad.left  = 0;
  p.pad.right = p.filter.width - 1;
  return p;
}

}  // namespace window_joint_tiles

/// Chooses tiles of dx and dfilter in one pass. Goes by ranges, never by single sizes. The
/// problem's planes have extents of at most 2^24, and its batch is not empty.
[[nodiscard]] constexpr window_filter_policy choose_window_joint_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device,
  window_filter_tiles::aims const& aim) noexcept
{
  using namespace window_joint_tiles;
  conv2d_problem const even = evened(p);
  window_filter_tiles::frame f{even, element_bytes, device, aim};
  f.blocks                    = window_joint_blocks(p.filter, element_bytes);
  window_filter_policy policy = window_filter_tiles::choose_tile(f);
  // Where there are few planes, strips become lower until every multiprocessor has work.
  auto const warps = [&] {
    return window_joint_splits{p, policy}.blocks() *
           (policy.threads / window_filter_tiles::warp_size);
  };
  while (warps() < least_warps * device.multiprocessors && f.aim.least_steps > fewest_steps) {
    f.aim.least_steps /= 2;
    policy = window_filter_tiles::choose_tile(f);
  }
  std::int64_t const moved = (2 * input_elements(p) + output_elements(p)) * element_bytes;
  policy.passing           = moved <= aim.passing * device.l2_bytes;
  return policy;
}

/// The same with the usual aims.
[[nodiscard]] constexpr window_filter_policy choose_window_joint_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  return choose_window_joint_policy(p, element_bytes, device,
                                    window_joint_tiles::aims_for(p, element_bytes));
}

/// As `window_filter_chain`, of the sum of dfilter in one pass with dx.
[[nodiscard]] constexpr std::int64_t window_joint_chain(conv2d_problem const& p,
                                                        window_filter_policy const& policy,
                                                        int element_bytes) noexcept
{
  return window_filter_chain(window_joint_tiles::evened(p), policy, element_bytes);
}

}  // namespace dwconv
