// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/reduction/split_sum.hpp>

namespace dwconv {

/// A filter and stride that the window family has a kernel of backward_filter for.
struct window_filter_shape {
  extent2 taps;
  extent2 stride;
};

/// All of them.
inline constexpr std::array window_filter_shapes{
  window_filter_shape{{3, 3}, {1, 1}}, window_filter_shape{{3, 3}, {2, 2}},
  window_filter_shape{{5, 5}, {1, 1}}, window_filter_shape{{5, 5}, {2, 2}},
  window_filter_shape{{7, 7}, {1, 1}}, window_filter_shape{{3, 1}, {1, 1}},
  window_filter_shape{{3, 7}, {1, 1}}, window_filter_shape{{1, 4}, {1, 1}}};

/// And of dilated ones, at stride 1.
inline constexpr std::array window_filter_dilated{extent2{3, 3}};

/// Whether taps lie apart along either axis.
[[nodiscard]] constexpr bool is_dilated(conv2d_problem const& p) noexcept
{
  return p.dilation != extent2{1, 1};
}

namespace window_filter_tiles {

using geometry::divide_up;

inline constexpr int warp_size = 32;

/// What a block aims for, found on an H200 with CUDA 13.0 (docs/tuning.md has the figures).
struct aims {
  std::int64_t stage_bytes  = 16 * 1024;  ///< Of x and dy together, in whole planes,
  std::int64_t plane_bytes  = 28 * 1024;  ///< up to this size of a plane.
  std::int64_t thread_bytes = 340;        ///< Of a chunk of rows, for each thread;
  std::int64_t window_bytes = 340;        ///< of windows of them.
  std::int64_t run_bytes    = 2048;       ///< Of a run of x: to start a copy has a price.
  std::int64_t block_bytes  = 16 * 1024;  ///< That a block could move while it begins and ends.
  int stages                = 2;
  int lanes                 = 32;         ///< Threads that a block with whole planes should have,
  int row_lanes             = 64;         ///< and one with rows.
  int segment               = 7;          ///< Steps of one of the threads below each other.
  int least_across          = INT32_MAX;  ///< Threads along a row from which on rows are better.
  int across                = 96;         ///< Threads along a window of a long row.
  int least_steps           = 16;         ///< Of a strip.
  std::int64_t longest_walk = 2048;       ///< Terms that a thread adds one after the other.
  int passing               = 4;          ///< Tensors of up to so many times L2 leave it to others.
};

/// The aims for a filter and element type.
[[nodiscard]] constexpr aims aims_for(conv2d_problem const& p, int element_bytes) noexcept
{
  aims aim{};
  if (element_bytes == 2) {
    aim.plane_bytes  = 6 * 1024;
    aim.lanes        = 64;
    aim.thread_bytes = 256;
    aim.row_lanes    = 32;
    aim.across       = 64;
    aim.window_bytes = 170;
  }
  extent2 const out         = output_extent(p);
  std::int64_t const plane  = p.input.height * p.input.width + out.height * out.width;
  constexpr int small_bytes = 1024;
  if (element_bytes < 8 && plane * element_bytes <= small_bytes &&
      p.filter.height * p.filter.width <= 9) {
    // To begin, and to start a copy, costs more than to multiply.
    aim.lanes = 96;
    if (element_bytes == 4) {
      aim.stage_bytes = 24 * 1024;
      aim.run_bytes   = 4096;
    }
  }
  if (window_filter_turns(p.filter, p.stride) < p.filter.height && p.filter.height > 5) {
    // Bound by multiply-adds: as many warps as registers allow, so small chunks.
    aim.thread_bytes = 256;
    aim.window_bytes = std::min<std::int64_t>(aim.window_bytes, 256);
    aim.row_lanes    = 32;
    aim.least_across = 4;
  }
  return aim;
}

/// What tiles are chosen for.
struct frame {
  conv2d_problem const& p;
  int bytes;
  device_facts const& device;
  extent2 out;
  window_filter_walk walk;
  int columns;          ///< Of a thread.
  std::int64_t across;  ///< Threads along a whole row.
  std::int64_t blocks;  ///< Of the most threads, that registers hold.
  aims aim;

  constexpr frame(conv2d_problem const& problem, int element_bytes, device_facts const& facts,
                  aims const& wanted) noexcept
    : p{problem},
      bytes{element_bytes},
      device{facts},
      out{output_extent(problem)},
      walk{problem},
      columns{window_filter_columns(problem.filter, element_bytes)},
      across{divide_up(out.width, columns)},
      blocks{
        window_filter_blocks(problem.filter, problem.stride, element_bytes, is_dilated(problem))},
      aim{wanted}
  {}

  [[nodiscard]] constexpr std::int64_t plane_bytes() const noexcept
  {
    return (p.input.height * p.input.width + out.height * out.width) * bytes;
  }
  [[nodiscard]] constexpr bool fits(window_filter_policy const& policy) const noexcept
  {
    return window_filter_layout{p, policy, bytes}.bytes(p, policy, bytes) <=
           device.shared_bytes_per_block;
  }
  /// Blocks that the device holds at a time.
  [[nodiscard]] constexpr std::int64_t places(window_filter_policy const& policy) const noexcept
  {
    constexpr std::int64_t most_blocks = 32, reserved = 1024;
    std::int64_t const shared =
      window_filter_layout{p, policy, bytes}.bytes(p, policy, bytes) + reserved;
    std::int64_t const threads = blocks * window_filter_threads;
    std::int64_t const places =
      std::min({most_blocks, threads / policy.threads, device.shared_bytes_per_sm / shared});
    return std::max<std::int64_t>(places, 1) * std::max(device.multiprocessors, 1);
  }
};

/// How many of something that takes `threads` threads fill warps well: from `least` on, up to
/// `most`, and few enough for a block.
[[nodiscard]] constexpr std::int64_t fill_warps(std::int64_t threads, std::int64_t least,
                                                std::int64_t most) noexcept
{
  constexpr int idle_part = 6;
  least                   = std::clamp<std::int64_t>(least, 1, most);
  for (std::int64_t n = least; n <= most && n * threads <= window_filter_threads; ++n) {
    std::int64_t const lanes = divide_up(n * threads, warp_size) * warp_size;
    if ((lanes - n * threads) * idle_part <= lanes) { return n; }
  }
  return least;
}

/// Chunks of whole planes, of several channels and images.
[[nodiscard]] constexpr window_filter_policy in_whole_planes(frame const& f) noexcept
{
  int const steps = f.walk.steps();
  int segment     = static_cast<int>(divide_up(steps, divide_up(steps, f.aim.segment)));
  // Threads an odd number of rows apart meet different banks unless rows are 32 wide.
  if (segment % 2 == 0 && segment < steps) { ++segment; }
  window_filter_policy policy{};
  policy.columns = static_cast<int>(f.out.width);
  policy.strip = policy.steps = steps;
  policy.down                 = static_cast<int>(divide_up(steps, segment));
  std::int64_t const threads  = f.across * policy.down;
  // A plane a thread and many taps: more of them share what it costs to begin.
  bool const tiny          = threads == 1 && f.p.filter.height * f.p.filter.width >= 25;
  std::int64_t const lanes = f.aim.lanes * (tiny ? 2 : 1);
  std::int64_t const room =
    std::max<std::int64_t>(f.aim.stage_bytes * (tiny ? 2 : 1) / f.plane_bytes(), 1);
  std::int64_t const planes   = fill_warps(threads, lanes / threads, room);
  std::int64_t const x_bytes  = f.p.input.height * f.p.input.width * f.bytes;
  std::int64_t const channels = f.p.output_channels();
  std::int64_t const together = std::min({divide_up(f.aim.run_bytes, x_bytes), planes, channels});
  policy.images               = static_cast<int>(
    std::min({planes / together, f.p.batch, std::int64_t{warp_size}}));  // a lane each
  policy.channels = static_cast<int>(std::min(planes / policy.images, channels));
  policy.part     = policy.images;
  policy.stages   = f.aim.stages;
  return policy;
}

/// Chunks of whole planes where the filter is dilated: threads below each other have a phase of
/// rows each, or some, or a segment of one.
[[nodiscard]] constexpr window_filter_policy in_phases(frame const& f) noexcept
{
  int const walks           = window_filter_phases{f.p}.walks();
  std::int64_t const most   = std::max<std::int64_t>(window_filter_threads / f.across, 1);
  std::int64_t const rounds = divide_up(walks, most);
  window_filter_policy policy{};
  policy.columns = static_cast<int>(f.out.width);
  policy.strip = policy.steps = f.walk.steps();
  policy.down                 = static_cast<int>(divide_up(walks, rounds));
  std::int64_t const threads  = f.across * policy.down;
  std::int64_t const room     = std::max<std::int64_t>(f.aim.stage_bytes / f.plane_bytes(), 1);
  std::int64_t const planes   = fill_warps(threads, f.aim.row_lanes / threads, room);
  std::int64_t const x_bytes  = f.p.input.height * f.p.input.width * f.bytes;
  std::int64_t const together =
    std::min({divide_up(f.aim.run_bytes, x_bytes), planes, f.p.output_channels()});
  policy.images = static_cast<int>(
    std::min({planes / together, f.p.batch, std::int64_t{warp_size}}));  // a lane each
  policy.channels = static_cast<int>(together);
  policy.part     = policy.images;
  policy.stages   = f.aim.stages;
  if (!f.fits(policy)) { policy.stages = 1; }
  return policy;
}

/// Chunks of some rows of one channel's planes of some images, or of a window of columns.
[[nodiscard]] constexpr window_filter_policy in_rows(frame const& f, std::int64_t most_across,
                                                     std::int64_t most_images) noexcept
{
  window_filter_policy policy{};
  std::int64_t const windows = divide_up(f.across, most_across);
  std::int64_t const across  = divide_up(f.across, windows);
  bool const whole_rows      = windows == 1;
  policy.columns             = static_cast<int>(whole_rows ? f.out.width : across * f.columns);
  policy.strip               = f.walk.steps();
  policy.images              = static_cast<int>(
    whole_rows ? fill_warps(across, f.aim.row_lanes / across, std::min(f.p.batch, most_images))
                            : 1);
  policy.part = policy.images;

  int const live = f.walk.live;
  int const turn = window_filter_turns(f.p.filter, f.p.stride);
  std::int64_t const of_image =
    (f.p.stride.height *
       std::min(policy.columns * f.p.stride.width + f.p.filter.width, f.p.input.width) +
     policy.columns) *
    f.bytes;
  std::int64_t const turns = std::clamp<std::int64_t>(
    (whole_rows ? f.aim.thread_bytes : f.aim.window_bytes) *
      divide_up(across * policy.images, warp_size) * warp_size / (of_image * policy.images * turn),
    1, divide_up(policy.strip + live - 1, turn));
  // The rows of a window have a lane each.
  std::int64_t const lanes = std::max<std::int64_t>(warp_size / (turn * f.p.stride.height), 1);
  policy.steps             = static_cast<int>(turn * (whole_rows ? turns : std::min(turns, lanes)));
  return policy;
}

[[nodiscard]] constexpr std::int64_t members(frame const& f,
                                             window_filter_policy const& policy) noexcept
{
  return divide_up(policy.columns, f.columns) * policy.down * policy.images;
}

constexpr void count_threads(frame const& f, window_filter_policy& policy) noexcept
{
  std::int64_t const of_channel = members(f, policy);
  policy.threads = static_cast<int>(divide_up(of_channel * policy.channels, warp_size)) * warp_size;
  policy.sum_lanes = 1;
  while (policy.sum_lanes < warp_size && policy.sum_lanes * 4 < of_channel) {
    policy.sum_lanes *= 2;
  }
}

/// Time that a launch takes, in bytes that a block moves meanwhile: blocks come in waves.
[[nodiscard]] constexpr std::int64_t cost(frame const& f,
                                          window_filter_policy const& policy) noexcept
{
  window_filter_splits const of{f.p, policy};
  std::int64_t const of_step = (f.p.stride.height * f.p.input.width + f.out.width) * f.bytes;
  std::int64_t const bytes   = divide_up(of_step, of.windows) * policy.part * policy.channels *
                             (policy.strip + f.walk.live - 1);
  return divide_up(of.blocks(), f.places(policy)) * (bytes + f.aim.block_bytes);
}

/// Settles how many images a block takes, and how high its strip is: the quickest of what there is,
/// with sums that are not too long.
constexpr void share_out(frame const& f, window_filter_policy& policy) noexcept
{
  count_threads(f, policy);
  bool const whole          = window_filter_layout{f.p, policy, f.bytes}.whole_planes;
  window_filter_policy best = policy;
  std::int64_t least        = INT64_MAX;
  int const steps           = f.walk.steps();
  int const lowest          = std::max(f.aim.least_steps, 4 * (f.walk.live - 1));
  for (std::int64_t strips = 1; strips == 1 || (!whole && steps / strips >= lowest); strips *= 2) {
    policy.strip             = static_cast<int>(divide_up(steps, strips));
    std::int64_t const terms = divide_up(policy.strip, policy.down) * f.columns;
    bool const too_long = terms > f.aim.longest_walk && !whole && steps / (2 * strips) >= lowest;
    if (too_long) { continue; }
    std::int64_t const all  = divide_up(f.p.batch, policy.images);
    std::int64_t const most = std::clamp<std::int64_t>(f.aim.longest_walk / terms, 1, all);
    for (std::int64_t tiles = 1; tiles <= most; tiles += 1 + tiles / 8) {
      policy.part = static_cast<int>(divide_up(all, divide_up(all, tiles))) * policy.images;
      std::int64_t const of_this = cost(f, policy);
      if (of_this < least) {
        least = of_this;
        best  = policy;
      }
    }
  }
  policy = best;
}

/// Whole planes where they are small, else rows.
[[nodiscard]] constexpr window_filter_policy choose_tile(frame const& f) noexcept
{
  window_filter_policy policy{};
  bool chosen = false;
  if (is_dilated(f.p)) {
    policy = in_phases(f);
    share_out(f, policy);
    chosen = true;
  } else if (f.plane_bytes() <= f.aim.plane_bytes && f.across <= warp_size &&
             f.across < f.aim.least_across) {
    policy = in_whole_planes(f);
    share_out(f, policy);
    chosen = policy.threads <= window_filter_threads && f.fits(policy);
  }
  std::int64_t const most_images = 8;
  for (std::int64_t across = f.across <= window_filter_threads ? std::max<std::int64_t>(f.across, 1)
                                                               : f.aim.across;
       !chosen && across > 0; across /= 2) {
    policy = in_rows(f, across, most_images);
    share_out(f, policy);
    chosen = policy.threads <= window_filter_threads && f.fits(policy);
  }
  return policy;
}

}  // namespace window_filter_tiles

/// Chooses tiles of backward_filter. Goes by ranges, never by single sizes. The problem's planes
/// have extents of at most 2^24, and its batch is not empty.
[[nodiscard]] constexpr window_filter_policy choose_window_filter_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device,
  window_filter_tiles::aims const& aim) noexcept
{
  using namespace window_filter_tiles;
  window_filter_policy policy = choose_tile(frame{p, element_bytes, device, aim});
  std::int64_t const read     = (input_elements(p) + output_elements(p)) * element_bytes;
  policy.passing              = read <= aim.passing * device.l2_bytes;
  return policy;
}

/// The same with the usual aims.
[[nodiscard]] constexpr window_filter_policy choose_window_filter_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  return choose_window_filter_policy(p, element_bytes, device,
                                     window_filter_tiles::aims_for(p, element_bytes));
}

/// As `split_sum::longest_chain`, of a sum in the window family.
[[nodiscard]] constexpr std::int64_t window_filter_chain(conv2d_problem const& p,
                                                         window_filter_policy const& policy,
                                                         int element_bytes) noexcept
{
  using geometry::divide_up;
  int const columns = window_filter_columns(p.filter, element_bytes);
  window_filter_phases const of_rows{p};
  std::int64_t const rows    = is_dilated(p)
                                 ? divide_up(of_rows.walks(), policy.down) * of_rows.segment
                                 : divide_up(policy.strip, policy.down);
  std::int64_t const own     = divide_up(policy.part, policy.images) * rows * columns;
  std::int64_t const threads = divide_up(policy.columns, columns) * policy.down * policy.images;
  std::int64_t const splits  = window_filter_splits{p, policy}.splits();
  constexpr int levels       = 5;
  return own + divide_up(threads, policy.sum_lanes) + levels + divide_up(splits, split_warps) +
         split_warps;
}

}  // namespace dwconv
