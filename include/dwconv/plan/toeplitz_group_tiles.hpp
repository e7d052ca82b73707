// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>

namespace dwconv {

/// Threads of a block that computes a tile as a warpgroup.
inline constexpr int toeplitz_group_threads = 128;

namespace toeplitz_groups_of {

[[nodiscard]] constexpr std::int64_t parts(std::int64_t whole, std::int64_t part) noexcept
{
  return geometry::divide_up(whole, part);
}

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr std::int64_t even_part(std::int64_t whole, std::int64_t most) noexcept
{
  return parts(whole, parts(whole, most));
}

/// The columns of a tile of so many images.
[[nodiscard]] constexpr int columns_beside(conv2d_problem const& p, int images) noexcept
{
  std::int64_t const width = output_extent(p).width;
  std::int64_t const blocks =
    even_part(parts(width, toeplitz_block), toeplitz_group_slots / images);
  return static_cast<int>(blocks * toeplitz_block);
}

/// Pairs of units that all tiles of a row of blocks multiply, for all images.
[[nodiscard]] constexpr std::int64_t pairs_of(conv2d_problem const& p, int images) noexcept
{
  std::int64_t const width = output_extent(p).width;
  int const columns        = columns_beside(p, images);
  int const before         = static_cast<int>(parts(p.pad.left, toeplitz_group::unit));
  std::int64_t pairs       = 0;
  for (std::int64_t column = 0; column < width; column += columns) {
    auto const part = toeplitz_group_window::of(
      static_cast<int>(column / toeplitz_block) - before,
      static_cast<int>(parts(std::min<std::int64_t>(columns, width - column), toeplitz_block)),
      toeplitz_group::window_of(p), static_cast<int>(parts(p.input.width, toeplitz_group::unit)));
    pairs += (part.count + 1) / 2;
  }
  return pairs * parts(p.batch, images);
}

}  // namespace toeplitz_groups_of

/// A tile for a warpgroup: blocks of as many images, and runs of rows, as fill the slots.
[[nodiscard]] constexpr toeplitz_tile toeplitz_group_tile(conv2d_problem const& p,
                                                          device_facts const& device) noexcept
{
  using namespace toeplitz_groups_of;
  extent2 const out = output_extent(p);
  toeplitz_tile tile{};
  // With more images padding beside them is left out, but where that cuts rows, x is staged once
  // for each part: not worth a third of the products (28x28) or a sixth (56x56).
  auto const cost = [&](int images) {
    std::int64_t const windows = parts(out.width, columns_beside(p, images));
    return pairs_of(p, images) * (windows > 1 ? 13 : 8);
  };
  for (int images = 2; images <= toeplitz_group_slots && images < 2 * p.batch; images *= 2) {
    if (cost(images) < cost(tile.images)) { tile.images = images; }
  }
  tile.columns = columns_beside(p, tile.images);
  std::int64_t runs =
    std::min(parts(out.height, toeplitz_group_rows),
             std::max<std::int64_t>(
               1, toeplitz_group_slots / (tile.images * parts(tile.columns, toeplitz_block))));
  // Slots lie in eights.
  while (tile.images * runs > 8 && tile.images * runs % 8 != 0) { --runs; }
  tile.rows        = static_cast<int>(even_part(out.height, runs * toeplitz_group_rows));
  auto const count = [&] {
    return parts(p.batch, tile.images) * p.output_channels() * parts(out.height, tile.rows) *
           parts(out.width, tile.columns);
  };
  // Small problems: more blocks before filled ones.
  std::int64_t const enough = 2 * device.multiprocessors;
  while (tile.rows > toeplitz_group_rows && count() < enough) {
    tile.rows = static_cast<int>(even_part(out.height, std::max(1, tile.rows / 2)));
  }
  while (tile.images > 1 && count() < enough) { tile.images /= 2; }
  auto const fits = [&] {
    return toeplitz_group::of(p, tile).shared_bytes() <= device.shared_bytes_per_block;
  };
  while (tile.images > 1 && !fits()) { tile.images /= 2; }
  while (tile.rows > toeplitz_group_rows && !fits()) {
    tile.rows = static_cast<int>(even_part(out.height, std::max(1, tile.rows / 2)));
  }
  return tile;
}

/// Whether warpgroups are quicker than other kernels of the family, where they can be had and slots
/// are filled. As far as was measured on an H200 (docs/tuning.md): filters so high that most rows
/// of sums meet each row of x, planes high enough for a product's rows and wide enough for full
/// blocks.
[[nodiscard]] constexpr bool toeplitz_group_pays(conv2d_problem const& p) noexcept
{
  constexpr int least_taps = 25, least_extent = 24, most_taps = 63;
  extent2 const out = output_extent(p);
  return std::min(p.filter.height, p.filter.width) >= least_taps &&
         std::max(p.filter.height, p.filter.width) <= most_taps &&
         std::min(out.height, out.width) >= least_extent && out.height <= 2 * toeplitz_group_rows &&
         p.input.width % 4 == 0;
}

/// Whether a tile's products have few idle slots.
[[nodiscard]] constexpr bool toeplitz_group_filled(toeplitz_tile const& tile) noexcept
{
  std::int64_t const blocks = geometry::divide_up(tile.columns, toeplitz_block);
  return tile.images * blocks * 4 >= toeplitz_group_slots * 3;
}

/// Whether a problem can be computed by warpgroups.
[[nodiscard]] constexpr bool toeplitz_groups_take(conv2d_problem const& p) noexcept
{
  constexpr int most_taps = 255;
  return p.stride == extent2{1, 1} && p.dilation == extent2{1, 1} &&
         p.filter.height >= toeplitz_group_fewest_rows && p.filter.height <= most_taps;
}

/// Whether a problem is computed by warpgroups.
[[nodiscard]] constexpr bool toeplitz_groups(conv2d_problem const& p,
                                             device_facts const& device) noexcept
{
  if (!device.warpgroup_products || !toeplitz_groups_take(p) || !toeplitz_group_pays(p)) {
    return false;
  }
  toeplitz_tile const tile = toeplitz_group_tile(p, device);
  return toeplitz_group_filled(tile) &&
         toeplitz_group::of(p, tile).shared_bytes() <= device.shared_bytes_per_block;
}

/// What a description says of a problem of the toeplitz family that is not computed by warpgroups.
[[nodiscard]] constexpr char const* toeplitz_groups_declined(conv2d_problem const& p,
                                                             device_facts const& device) noexcept
{
  if (!toeplitz_groups_take(p)) { return ""; }
  if (device.compute_capability != 90) { return "; the GPU has no products of warpgroups"; }
  if (!device.warpgroup_products) { return "; not by warpgroups: compiled without sm_90a"; }
  if (!toeplitz_group_pays(p)) {
    return "; not by warpgroups: quicker for large filters on planes of 24 to 56 rows only";
  }
  return toeplitz_group_filled(toeplitz_group_tile(p, device))
           ? "; not by warpgroups: a tile does not fit in shared memory"
           : "; not by warpgroups: too few images fill their slots";
}

}  // namespace dwconv
