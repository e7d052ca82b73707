// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/kernels/toeplitz/gradient_policy.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/reduction/split_sum.hpp>

namespace dwconv {

namespace toeplitz_gradient {

/// Most rows of dy of a unit.
inline constexpr int most_strip = 512;

using geometry::divide_up;

/// A compiled kernel, and how many filter rows it has sums for.
struct instance {
  int halves;
  int rows;
};

/// Kernels compiled, those of few halves and rows first.
inline constexpr instance instances[] = {{1, 3}, {1, 7}, {1, 13}, {3, 3}, {3, 5},
                                         {3, 7}, {3, 9}, {3, 13}, {5, 8}};

inline constexpr int most_halves = 5;
/// Columns of a filter that so many halves reach, wherever the blocks of x lie.
inline constexpr int sure_columns = gradient_block * (most_halves - 2) + 2;

/// Blocks of x that some columns of the filter see beside a block of dy, none further away than
/// there are blocks in a row.
[[nodiscard]] constexpr std::int64_t halves_for(conv2d_problem const& p, std::int64_t column,
                                                std::int64_t columns) noexcept
{
  auto const floor_blocks = [](std::int64_t at) {
    return at >= 0 ? at / gradient_block : -((-at + gradient_block - 1) / gradient_block);
  };
  std::int64_t const pad = p.pad.left - column;
  std::int64_t const first =
    std::max(floor_blocks(-pad), 1 - divide_up(output_extent(p).width, gradient_block));
  std::int64_t const last = std::min(floor_blocks(gradient_block - 1 + columns - 1 - pad),
                                     divide_up(p.input.width, gradient_block) - 1);
  return std::max<std::int64_t>(last - first + 1, 1);
}

/// Taps of a warp, and the kernel for them.
constexpr void choose_taps(conv2d_problem const& p, toeplitz_gradient_policy& policy) noexcept
{
  policy.tap_columns  = static_cast<int>(p.filter.width);
  std::int64_t halves = halves_for(p, 0, p.filter.width);
  if (halves > most_halves) {
    policy.tap_columns = sure_columns;
    halves             = 1;
    for (std::int64_t c = 0; c < p.filter.width; c += sure_columns) {
      halves = std::max(halves,
                        halves_for(p, c, std::min<std::int64_t>(sure_columns, p.filter.width - c)));
    }
  }
  policy.halves      = static_cast<int>(halves + (halves % 2 == 0 ? 1 : 0));
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (instance const& kernel : instances) {
    if (kernel.halves != policy.halves) { continue; }
    // Every group of filter rows reads x and dy again.
    std::int64_t const groups = divide_up(p.filter.height, kernel.rows);
    std::int64_t const cost   = groups * (kernel.rows + 2);
    if (cost < least) {
      least           = cost;
      policy.rows     = kernel.rows;
      policy.tap_rows = static_cast<int>(divide_up(p.filter.height, groups));
    }
  }
}

[[nodiscard]] constexpr std::int64_t items(conv2d_problem const& p,
                                           toeplitz_gradient_policy const& policy) noexcept
{
  return p.output_channels() * divide_up(p.filter.height, policy.tap_rows) *
         divide_up(p.filter.width, policy.tap_columns);
}

/// Of one channel.
[[nodiscard]] constexpr std::int64_t units(conv2d_problem const& p,
                                           toeplitz_gradient_policy const& policy) noexcept
{
  extent2 const out = output_extent(p);
  return divide_up(p.batch, policy.images) *
         divide_up(divide_up(out.width, gradient_block), policy.blocks) *
         divide_up(out.height, policy.strip);
}

/// Images where rows are short, else stretches of rows; as many slots as a product has.
constexpr void choose_units(conv2d_problem const& p, std::int64_t wanted_warps,
                            toeplitz_gradient_policy& policy) noexcept
{
  extent2 const out         = output_extent(p);
  std::int64_t const across = divide_up(out.width, gradient_block);
  std::int64_t const under  = divide_up(p.input.width, gradient_block);
  policy.whole_rows         = across <= gradient_slots && under <= gradient_slots + 4;
  std::int64_t const parts  = policy.whole_rows ? 1 : divide_up(across, gradient_slots);
  policy.blocks             = static_cast<int>(divide_up(across, parts));
  if (policy.whole_rows) {
    policy.images = static_cast<int>(
      std::clamp<std::int64_t>(gradient_slots / across, 1, std::max<std::int64_t>(p.batch, 1)));
  }
  // Strips where there is little else: each reads some rows of x that its neighbours read too.
  policy.strip      = static_cast<int>(std::min<std::int64_t>(out.height, most_strip));
  auto const cut_to = [&](std::int64_t least, std::int64_t units_wanted) {
    while (policy.strip >= 2 * least && units(p, policy) < units_wanted) {
      policy.strip = (policy.strip + 1) / 2;
    }
  };
  std::int64_t const wanted = divide_up(wanted_warps, items(p, policy));
  cut_to(std::max<std::int64_t>(4 * policy.tap_rows, 16), wanted);
  if (wanted > 1) { cut_to(std::max<std::int64_t>(16 * policy.tap_rows, 64), 8 * wanted); }
}

/// Few chunks, of as many steps as an area holds; those counts of steps that take the least room
/// for each.
constexpr void choose_steps(conv2d_problem const& p, device_facts const& device,
                            toeplitz_gradient_policy& policy) noexcept
{
  std::int64_t const walk =
    std::min<std::int64_t>(policy.strip + policy.tap_rows - 1, p.input.height + p.pad.top);
  std::int64_t const most =
    std::min<std::int64_t>(walk, policy.whole_rows ? gradient_steps_most : gradient_runs_most);
  policy.steps    = 1;
  auto const fits = [&](int steps) {
    toeplitz_gradient_policy with = policy;
    with.steps                    = steps;
    // Three blocks that need not wait between chunks are as good as four that do.
    constexpr int least_blocks   = 3;
    constexpr int own_of_runtime = 1024;
    int const blocks = steps == walk ? least_blocks : gradient_blocks(policy.rows, policy.halves);
    return gradient_layout{p, with}.shared_bytes() <=
           device.shared_bytes_per_sm / blocks - own_of_runtime;
  };
  int steps = 1;
  for (int s = 2; s <= most; ++s) {
    if (fits(s)) { steps = s; }
  }
  policy.steps = static_cast<int>(divide_up(walk, divide_up(walk, steps)));
}

constexpr void choose_splits(conv2d_problem const& p, std::int64_t wanted_warps,
                             toeplitz_gradient_policy& policy) noexcept
{
  constexpr std::int64_t most_splits = 1024, most_steps = 4096;
  std::int64_t const all = std::max<std::int64_t>(units(p, policy), 1);
  // Warps come in waves as large as the GPU, each as long as its units, and begin and end. More
  // waves than one where a warp would add up too many rows one after the other.
  std::int64_t const least = std::clamp<std::int64_t>(divide_up(all * policy.strip, most_steps), 1,
                                                      std::min(all, most_splits));
  std::int64_t const full  = std::max<std::int64_t>(wanted_warps / items(p, policy), 1);
  std::int64_t const most  = std::clamp<std::int64_t>(6 * full, least, std::min(all, most_splits));
  // Warps of a filter's first, middle and last rows skip different padding: one wave is uneven.
  bool const uneven = policy.tap_rows < p.filter.height;
  std::int64_t best = least, shortest = std::numeric_limits<std::int64_t>::max();
  for (std::int64_t splits = least; splits <= most; ++splits) {
    std::int64_t const waves = divide_up(items(p, policy) * splits, wanted_warps);
    std::int64_t const time  = waves * (2 * divide_up(all, splits) + 1) * 10;
    std::int64_t const taken = waves == 1 && uneven ? time + time / 10 : time;
    if (taken < shortest) { shortest = taken, best = splits; }
  }
  policy.splits       = static_cast<int>(best);
  policy.side_by_side = !policy.whole_rows;
}

}  // namespace toeplitz_gradient

/// Chooses how the gradient of the filter is summed. Goes by ranges, never by single sizes.
[[nodiscard]] constexpr toeplitz_gradient_policy choose_toeplitz_gradient_policy(
  conv2d_problem const& p, device_facts const& device) noexcept
{
  using namespace toeplitz_gradient;
  toeplitz_gradient_policy policy{};
  choose_taps(p, policy);
  std::int64_t const wanted_warps = std::int64_t{gradient_blocks(policy.rows, policy.halves)} *
                                    (gradient_threads / 32) * std::max(device.multiprocessors, 1);
  choose_units(p, wanted_warps, policy);
  choose_steps(p, device, policy);
  choose_splits(p, wanted_warps, policy);
  // Where nothing is read twice, and what was left in L2 may be of use.
  constexpr std::int64_t most_of_l2 = 4;
  std::int64_t const read = (input_elements(p) + output_elements(p)) * toeplitz_element_bytes;
  policy.passing          = items(p, policy) == p.channels && read <= most_of_l2 * device.l2_bytes;
  return policy;
}

/// Warps of a launch.
[[nodiscard]] constexpr std::int64_t toeplitz_gradient_warps(
  conv2d_problem const& p, toeplitz_gradient_policy const& policy) noexcept
{
  return toeplitz_gradient::items(p, policy) * policy.splits;
}

/// Blocks of a launch; none for batch 0.
[[nodiscard]] constexpr std::int64_t toeplitz_gradient_blocks(
  conv2d_problem const& p, toeplitz_gradient_policy const& policy) noexcept
{
  return geometry::divide_up(toeplitz_gradient_warps(p, policy), gradient_threads / 32);
}

/// The most additions that follow each other between a term and the element of the gradient: of a
/// warp, of a diagonal, of the splits.
[[nodiscard]] constexpr std::int64_t toeplitz_gradient_chain(
  conv2d_problem const& p, toeplitz_gradient_policy const& policy) noexcept
{
  std::int64_t const of_warp =
    geometry::divide_up(toeplitz_gradient::units(p, policy), std::max(policy.splits, 1)) *
    policy.strip * gradient_slots;
  return of_warp + gradient_block + geometry::divide_up(policy.splits, split_warps) + split_warps;
}

/// Why the toeplitz family cannot sum the gradient of a filter, or null; `policy` becomes the tile
/// that was chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_toeplitz_gradient(
  conv2d_problem const& p, dtype element, device_facts const& device,
  toeplitz_gradient_policy& policy) noexcept
{
  constexpr std::int64_t most_planes = INT32_MAX / 2;
  constexpr std::int64_t most_extent = 1 << 24;
  if (p.batch == 0) { return "there is nothing to sum"; }
  if (p.data_layout != layout::nchw) { return "its tiles are staged in nchw only"; }
  if (element != dtype::float16 && element != dtype::bfloat16) {
    return "tensor cores multiply half types only";
  }
  if (device.compute_capability < toeplitz_oldest_capability) {
    return "the GPU's matrix products are too small: sm_80 or newer is needed";
  }
  if (p.dilation != extent2{1, 1}) { return "its filter has no holes: the filter is dilated"; }
  if (p.stride != extent2{1, 1}) { return "it sums in steps of one only"; }
  if (p.batch * p.output_channels() > most_planes) { return "dy has more planes than it counts"; }
  if (std::max({p.input.height, p.input.width, padded_input(p).height, padded_input(p).width}) >
      most_extent) {
    return "the planes are too long";
  }
  policy = choose_toeplitz_gradient_policy(p, device);
  if (gradient_layout{p, policy}.shared_bytes() > device.shared_bytes_per_block) {
    return "a chunk does not fit in shared memory";
  }
  bool const counted = toeplitz_gradient_warps(p, policy) <= INT32_MAX / 2 &&
                       toeplitz_gradient::units(p, policy) <= INT32_MAX / 2;
  return counted ? nullptr : "it has more units than it counts";
}

}  // namespace dwconv
