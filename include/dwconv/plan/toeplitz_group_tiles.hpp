// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>

namespace dwconv {

/// Threads of a block that computes a tile as a warpgroup.
inline constexpr int toeplitz_group_threads = 128;

/// A tile for a warpgroup: whole rows of as many images as fill the slots, or a window of columns.
[[nodiscard]] constexpr toeplitz_tile toeplitz_group_tile(conv2d_problem const& p,
                                                          device_facts const& device) noexcept
{
  constexpr int slots = toeplitz_group_slots, block = toeplitz_group_block;
  constexpr int most_rows = toeplitz_group_rows * toeplitz_group_strips;
  auto const parts        = [](std::int64_t whole, std::int64_t part) {
    return geometry::divide_up(whole, part);
  };
  auto const even_part = [&](std::int64_t whole, std::int64_t most) {
    return parts(whole, parts(whole, most));
  };
  extent2 const out         = output_extent(p);
  std::int64_t const shift  = p.pad.left % 2;
  std::int64_t const blocks = parts(out.width + shift, block);
  toeplitz_tile tile{.columns = static_cast<int>(std::min<std::int64_t>(out.width, slots * block))};
  if (blocks <= slots) {
    tile.images = static_cast<int>(even_part(p.batch, slots / blocks));
  } else {
    std::int64_t const most = (slots * block - shift) / 8 * 8;
    tile.columns            = static_cast<int>(geometry::round_up(even_part(out.width, most), 8));
  }
  tile.rows        = static_cast<int>(even_part(out.height, most_rows));
  auto const count = [&] {
    return parts(p.batch, tile.images) * p.output_channels() * parts(out.height, tile.rows) *
           parts(out.width, tile.columns);
  };
  auto const lower = [&] {
    tile.rows = static_cast<int>(even_part(out.height, std::max(1, tile.rows / 2)));
  };
  // Few problems: more blocks before higher ones.
  std::int64_t const enough = 2 * device.multiprocessors;
  while (tile.rows > toeplitz_group_rows && count() < enough) { lower(); }
  while (tile.images > 1 && count() < enough) { tile.images = (tile.images + 1) / 2; }
  auto const fits = [&] {
    return toeplitz_group::of(p, tile).shared_bytes() <= device.shared_bytes_per_block;
  };
  while (tile.rows > 1 && !fits()) { lower(); }
  return tile;
}

/// Whether warpgroups are quicker than other kernels of the family, where they can be had.
[[nodiscard]] constexpr bool toeplitz_group_pays(conv2d_problem const& p) noexcept
{
  return p.stride == extent2{1, 1} && p.filter.height >= toeplitz_group_fewest_rows &&
         p.filter.height <= 255;
}

/// Whether a problem is computed by warpgroups.
[[nodiscard]] constexpr bool toeplitz_groups(conv2d_problem const& p,
                                             device_facts const& device) noexcept
{
  return device.warpgroup_products && toeplitz_group_pays(p) &&
         toeplitz_group::of(p, toeplitz_group_tile(p, device)).shared_bytes() <=
           device.shared_bytes_per_block;
}

/// What a description says of a problem of the toeplitz family that is not computed by warpgroups.
[[nodiscard]] constexpr char const* toeplitz_groups_declined(conv2d_problem const& p,
                                                             device_facts const& device) noexcept
{
  if (!toeplitz_group_pays(p)) { return ""; }
  if (device.compute_capability != 90) {
    return "; not by warpgroups: the GPU has no such products";
  }
  if (!device.warpgroup_products) { return "; not by warpgroups: compiled without sm_90a"; }
  return "; not by warpgroups: a tile does not fit in shared memory";
}

}  // namespace dwconv
