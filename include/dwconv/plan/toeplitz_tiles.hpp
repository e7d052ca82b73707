// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/plan/toeplitz_cuts.hpp>
#include <dwconv/plan/toeplitz_group_tiles.hpp>

namespace dwconv {

namespace toeplitz_tiles {

/// Whole planes: images until a matrix product's slots are filled, then channels.
constexpr void gather_planes(conv2d_problem const& p, aims const& aim, toeplitz_tile& tile,
                             int walk) noexcept
{
  extent2 const out = output_extent(p);
  tile = {.rows = static_cast<int>(out.height), .columns = static_cast<int>(out.width)};
  std::int64_t const plane = staged_bytes(p, tile);
  // Held filters: as many images as fill the last matrix product. Large filters: as fill each with
  // slots of the same rows, so that rows in the padding are skipped.
  std::int64_t const own = toeplitz_holds_filter(p, toeplitz_begin(p))
                             ? slots(p, tile, walk)
                             : parts(out.width, toeplitz_block);
  std::int64_t best      = 1;
  auto const idle        = [&](std::int64_t images) {
    return (parts(images * own, toeplitz_slots) * toeplitz_slots - images * own) * 64 / images;
  };
  // Rows of odd length begin alike in all images only where those are an even number of elements
  // apart.
  bool const alike = p.channels % 2 == 0 || p.input.height % 2 == 0 || p.input.width % 2 == 0;
  std::int64_t const most = alike ? std::min<std::int64_t>(p.batch, toeplitz_slots) : 1;
  // Runs of channels that begin and end where 16-byte pieces do, if there is room for several; some
  // channels in any case, for a run of less takes as long to copy.
  std::int64_t const bits = p.input.height * p.input.width | out.height * out.width | 8;
  int const unit          = static_cast<int>(8 / (bits & -bits));
  int const together      = plane <= 1024 ? std::min(unit, 4) : 1;
  // Of strided filters there is less to store. Of dilated ones images fill matrix products better.
  std::int64_t const stored = out.height * out.width * toeplitz_element_bytes * p.multiplier;
  bool const strided        = p.stride.height > 1;
  std::int64_t const bytes  = strided ? plane + std::min(stored, plane) : plane;
  std::int64_t const room   = strided ? 2 * aim.staged_bytes : aim.staged_bytes;
  std::int64_t const apart  = toeplitz_phases::of(p).step > 1 ? room / 2 : 0;
  for (std::int64_t images = 1; images <= most; ++images) {
    if (images > 1 && images * bytes * together > room + apart) { break; }
    if (idle(images) < idle(best)) { best = images; }
  }
  tile.images   = static_cast<int>(best);
  tile.channels = static_cast<int>(std::clamp<std::int64_t>(room / (best * bytes), 1, p.channels));
  auto const uneven = [&] {
    std::int64_t const work = items(p, tile, walk);
    return work > 2 * aim.warps || (work > aim.warps && work % aim.warps != 0) ||
           toeplitz_layout::shared_bytes(p, tile) > aim.shared_bytes;
  };
  while (tile.channels > 1 && uneven()) { --tile.channels; }
  if (tile.channels > unit) { tile.channels -= tile.channels % unit; }
}

/// Items of a tile of stacks.
[[nodiscard]] constexpr std::int64_t stack_items(conv2d_problem const& p,
                                                 toeplitz_tile const& tile) noexcept
{
  return parts(tile.images * parts(tile.rows, toeplitz_stack_rows), toeplitz_slots) *
         parts(tile.columns, toeplitz_stack_blocks * toeplitz_block) * tile.channels * p.multiplier;
}

/// A tile of stacks: 16 images where there are so many, since they skip the same rows, and no more
/// of each than leaves room for a second block on the multiprocessor.
[[nodiscard]] constexpr toeplitz_tile stack_tile(conv2d_problem const& p,
                                                 device_facts const& device,
                                                 aims const& aim) noexcept
{
  constexpr int fewest_columns = 2 * toeplitz_stack_blocks * toeplitz_block;
  extent2 const out            = output_extent(p);
  auto const most = std::min(device.shared_bytes_per_block, device.shared_bytes_per_sm / 2 - 1024);
  // More than shared memory holds, and few enough to be counted.
  constexpr std::int64_t most_rows = 64 * toeplitz_stack_rows, most_columns = 32 * fewest_columns;
  toeplitz_tile tile{.images  = static_cast<int>(std::min<std::int64_t>(p.batch, toeplitz_slots)),
                     .rows    = static_cast<int>(std::min(out.height, most_rows)),
                     .columns = static_cast<int>(std::min(out.width, most_columns))};
  auto const too_large = [&] { return toeplitz_stack::of(p, tile).shared_bytes() > most; };
  auto const narrower  = [&] {
    tile.columns = static_cast<int>(
      geometry::round_up(even_part(out.width, tile.columns / 2), fewest_columns / 2));
  };
  auto const lower = [&] {
    tile.rows = static_cast<int>(
      geometry::round_up(even_part(out.height, tile.rows / 2), toeplitz_stack_rows));
  };
  while (too_large() && tile.columns >= 2 * fewest_columns) { narrower(); }
  while (too_large() && tile.images > 4) { tile.images = (tile.images + 1) / 2; }
  while (too_large() && tile.rows > 4 * toeplitz_stack_rows) { lower(); }
  while (too_large() && tile.columns > fewest_columns / 2) { narrower(); }
  while (too_large() && tile.images > 1) { tile.images = (tile.images + 1) / 2; }
  while (too_large() && tile.rows > toeplitz_stack_rows) { lower(); }
  tile.rows = static_cast<int>(std::min<std::int64_t>(tile.rows, out.height));
  // Channels until every warp has an item.
  std::int64_t const enough = 2 * device.multiprocessors;
  if (tile.rows >= out.height && tile.columns >= out.width) {
    while (tile.channels < p.channels && stack_items(p, tile) < aim.warps) {
      toeplitz_tile wider = tile;
      ++wider.channels;
      if (toeplitz_stack::of(p, wider).shared_bytes() > most || count(p, wider) < enough) { break; }
      tile = wider;
    }
  }
  return tile;
}

/// A tile of a plane's only row, whole where it is not very long.
constexpr void stretch_row(conv2d_problem const& p, aims const& aim,
                           toeplitz_policy& policy) noexcept
{
  std::int64_t const longest = 8192 / std::min<std::int64_t>(p.stride.width, 8);
  std::int64_t const width   = output_extent(p).width;
  std::int64_t const part    = geometry::round_up(even_part(width, longest), toeplitz_stretch);
  policy.along               = true;
  policy.tile.columns        = static_cast<int>(std::min(part, width));
  std::int64_t const steps   = parts(policy.tile.columns, toeplitz_stretch);
  policy.walk                = static_cast<int>(even_part(steps, aim.walk));
}

/// Shared memory of a block of the tile.
[[nodiscard]] constexpr int shared_bytes(conv2d_problem const& p,
                                         toeplitz_policy const& policy) noexcept
{
  return policy.groups   ? toeplitz_group::of(p, policy.tile).shared_bytes()
         : policy.stacks ? toeplitz_stack::of(p, policy.tile).shared_bytes()
                         : toeplitz_layout::shared_bytes(p, policy.tile);
}

/// Blocks of a launch: warpgroups compute a tile of one channel of y each, others of one of x.
[[nodiscard]] constexpr std::int64_t blocks(conv2d_problem const& p,
                                            toeplitz_policy const& policy) noexcept
{
  return count(p, policy.tile) * (policy.groups ? p.multiplier : 1);
}

}  // namespace toeplitz_tiles

/// Chooses a tile. Goes by ranges, never by single sizes.
[[nodiscard]] constexpr toeplitz_policy choose_toeplitz_policy(
  conv2d_problem const& p, device_facts const& device,
  toeplitz_tiles::aims aim = toeplitz_tiles::sm90) noexcept
{
  using namespace toeplitz_tiles;
  extent2 const out = output_extent(p);
  toeplitz_policy policy{};
  toeplitz_tile& tile = policy.tile;
  // Strides read more than they write: found to pay up to four times L2.
  std::int64_t const read = p.batch * p.channels * p.input.height * p.input.width;
  policy.passing =
    p.stride.height * p.stride.width > 1 && read * toeplitz_element_bytes <= 4 * device.l2_bytes;
  auto const count_threads = [&](std::int64_t work) {
    std::int64_t const passes = parts(std::max<std::int64_t>(work, 1), aim.warps);
    policy.threads = static_cast<int>(32 * parts(std::max<std::int64_t>(work, 1), passes));
    return policy;
  };
  if (toeplitz_groups(p, device)) {
    policy.groups  = true;
    policy.walk    = toeplitz_group_rows;
    policy.threads = toeplitz_group_threads;
    tile           = toeplitz_group_tile(p, device);
    return policy;
  }
  if (toeplitz_stacks(p) && p.filter.height >= aim.stack_height && out.width >= aim.stack_width) {
    policy.stacks = true;
    policy.walk   = toeplitz_stack_rows;
    tile          = stack_tile(p, device, aim);
    return count_threads(stack_items(p, tile));
  }
  if (toeplitz_one_row(p)) {
    stretch_row(p, aim, policy);
    return count_threads(parts(tile.columns, toeplitz_stretch * policy.walk) * p.multiplier);
  }
  toeplitz_tile const plane{.rows    = static_cast<int>(out.height),
                            .columns = static_cast<int>(out.width)};
  bool const whole = staged_bytes(p, plane) <= aim.plane_bytes && out.width <= aim.most_columns;
  if (whole) {
    policy.walk = walk_down(p, aim, device);
    gather_planes(p, aim, tile, policy.walk);
  } else if (toeplitz_phases::of(p).step > 1) {
    policy.walk = walk_down(p, aim, device);
    cut_phases(p, aim, tile, policy.walk);
  } else if (!cut_windows(p, aim, device, tile, policy.walk)) {
    policy.walk = walk_of_part(p, aim, device);
    cut_plane(p, aim, tile, policy.walk);
  }
  // Small problems: enough blocks before large ones.
  std::int64_t const enough = 2 * device.multiprocessors;
  while (tile.channels > 1 && count(p, tile) < enough) { tile.channels = (tile.channels + 1) / 2; }
  while (tile.images > 1 && count(p, tile) < enough) { tile.images = (tile.images + 1) / 2; }
  auto const fits = [&] {
    return toeplitz_layout::shared_bytes(p, tile) <= device.shared_bytes_per_block;
  };
  while (tile.channels > 1 && !fits()) { --tile.channels; }
  while (tile.images > 1 && !fits()) { --tile.images; }
  while (tile.rows > policy.walk && !fits()) {
    tile.rows = (tile.rows - 1) / policy.walk * policy.walk;
  }
  // A warp uses the matrices of a filter dilated that far twice, if none has fewer items then.
  std::int64_t const work = items(p, tile, policy.walk);
  bool const far          = toeplitz_dilated(p) && toeplitz_chunks(p, toeplitz_begin(p)) > 1;
  return count_threads(far && work % 2 == 0 ? work / 2 : work);
}

/// Why the toeplitz family cannot take a problem, or null; `policy` becomes the tile that was
/// chosen to see whether it fits.
[[nodiscard]] constexpr char const* obstacle_to_toeplitz(conv2d_problem const& p, dtype element,
                                                         device_facts const& device,
                                                         toeplitz_policy& policy) noexcept
{
  constexpr std::int64_t most_planes = INT32_MAX / 2;
  constexpr std::int64_t most_extent = 1 << 24;
  constexpr std::int64_t most_pad    = 1024;
  if (p.data_layout != layout::nchw) { return "its tiles are staged in nchw only"; }
  if (element != dtype::float16 && element != dtype::bfloat16) {
    return "tensor cores multiply half types only";
  }
  if (device.compute_capability < toeplitz_oldest_capability) {
    return "the GPU's matrix products are too small: sm_80 or newer is needed";
  }
  if (p.batch * p.output_channels() > most_planes) { return "y has more planes than it counts"; }
  if (std::max({p.input.height, p.input.width, padded_input(p).height, padded_input(p).width}) >
      most_extent) {
    return "the planes are too long";
  }
  if (std::max(p.pad.left, p.pad.right) > most_pad) {
    return "the padding is wider than what it stages around a row";
  }
  if (std::max(filter_span(p).width, (toeplitz_block - 1) * p.stride.width + filter_span(p).width +
                                       1) > toeplitz_depth * toeplitz_most_chunks) {
    return "the filter is wider than the matrix products compiled";
  }
  if (toeplitz_dilated(p) && !toeplitz_takes_dilated(p)) {
    return "the filter is dilated, and not one of those held in registers";
  }
  if (p.filter.height * p.multiplier > 4096 || p.stride.height > 4096) {
    return "a tile does not fit in shared memory";
  }
  policy = choose_toeplitz_policy(p, device);
  if (toeplitz_tiles::shared_bytes(p, policy) > device.shared_bytes_per_block) {
    return "a tile does not fit in shared memory";
  }
  return toeplitz_tiles::blocks(p, policy) > INT32_MAX ? "y needs more blocks than one launch has"
                                                       : nullptr;
}

}  // namespace dwconv
