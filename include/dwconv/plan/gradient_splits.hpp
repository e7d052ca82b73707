// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/direct/policy.hpp>
#include <dwconv/plan/index_range.hpp>
#include <dwconv/problem/descriptor.hpp>

namespace dwconv::planning {

/// Least units that a thread of a split has, unless there are fewer in all.
inline constexpr std::int64_t least_units = 8;

/// Most splits: what they leave has to be added up again.
inline constexpr std::int64_t most_splits = 1024;

/// The smallest power of two that is at least `count`, from `least` to `most`, powers both.
[[nodiscard]] constexpr int power_for(std::int64_t count, int least, int most) noexcept
{
  int power = least;
  while (power < count && power < most) { power *= 2; }
  return power;
}

/// Splits for sums of `units` units: as many as fill a device, with enough for each of their
/// threads.
///
/// @param blocks Of a split.
[[nodiscard]] constexpr split_sum choose_split(layout order, std::int64_t units, int unit_terms,
                                               std::int64_t blocks,
                                               device_facts const& device) noexcept
{
  if (units == 0) { return {}; }
  constexpr int warp          = 32;
  constexpr int blocks_per_sm = 16;  // twice as many as may be there at a time
  split_sum split{.units = units, .unit_terms = unit_terms};
  if (direct_channel_lanes(order) == 1) {
    split.lanes = split.threads = power_for(units, warp, direct_threads);
  } else {
    split.lanes   = power_for(units, 1, direct_threads / warp);
    split.threads = split.lanes * warp;
  }
  auto const parts = [](std::int64_t whole, std::int64_t part) {
    return whole / part + (whole % part != 0 ? 1 : 0);
  };
  std::int64_t const wanted =
    parts(std::int64_t{blocks_per_sm} * std::max(device.multiprocessors, 1), blocks);
  std::int64_t const busy = std::max<std::int64_t>(units / (split.lanes * least_units), 1);
  split.per_split         = parts(units, std::min({wanted, busy, most_splits}));
  split.splits            = static_cast<int>(parts(units, split.per_split));
  return split;
}

/// Whether the direct kernels that sum over the batch may count with 32 bits.
[[nodiscard]] constexpr index_width sum_index(conv2d_problem const& p) noexcept
{
  return fits_32_bits(p, direct_threads) ? index_width::bits32 : index_width::bits64;
}

}  // namespace dwconv::planning
