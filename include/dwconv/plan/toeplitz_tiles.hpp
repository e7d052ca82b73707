// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>
#include <dwconv/plan/toeplitz_group_tiles.hpp>

namespace dwconv {

namespace toeplitz_tiles {

/// What a tile aims for: several blocks share a multiprocessor, one computing while others wait.
struct aims {
  int staged_bytes;  ///< Of x in a tile; rows and planes are added up to it.
  int plane_bytes;   ///< Largest plane of x that is not cut.
  int most_columns;  ///< Longest stretch of a row that one tile takes.
  int halo_rows;     ///< A strip has at least so many times the rows that its neighbours share.
  int shared_bytes;  ///< Most of a block with planes of several channels.
  int warps;
  int walk;          ///< Most output rows that a slot walks down.
  int stack_height;  ///< Least height of a filter that is computed in stacks,
  int stack_width;   ///< and least width of the planes.
};

inline constexpr aims sm90{.staged_bytes = 16 * 1024,
                           .plane_bytes  = 20 * 1024,
                           .most_columns = 512,
                           .halo_rows    = 4,
                           .shared_bytes = 48 * 1024,
                           .warps        = 4,
                           .walk         = 28,
                           .stack_height = 14,
                           .stack_width  = 24};

[[nodiscard]] constexpr std::int64_t parts(std::int64_t whole, std::int64_t most) noexcept
{
  return geometry::divide_up(whole, most);
}

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr std::int64_t even_part(std::int64_t whole, std::int64_t most) noexcept
{
  return parts(whole, parts(whole, std::max<std::int64_t>(most, 1)));
}

/// Bytes of x under a tile.
[[nodiscard]] constexpr std::int64_t staged_bytes(conv2d_problem const& p,
                                                  toeplitz_tile const& tile) noexcept
{
  std::int64_t const rows =
    std::min(p.input.height, (tile.rows - 1) * p.stride.height + p.filter.height);
  std::int64_t const columns =
    std::min(p.input.width, (tile.columns - 1) * p.stride.width + p.filter.width);
  return tile.images * tile.channels * rows * columns * toeplitz_element_bytes;
}

/// Output rows of a walk, of as equal a length as can be down a plane.
[[nodiscard]] constexpr int walk_down(conv2d_problem const& p, aims const& aim,
                                      device_facts const& device) noexcept
{
  if (!toeplitz_holds_filter(p, toeplitz_begin(p))) { return toeplitz_sums; }
  std::int64_t most = p.stride.height > 1 ? aim.walk / 2 : aim.walk;
  // Few planes: shorter, until every multiprocessor has some warps.
  constexpr std::int64_t fewest_items = 8;
  auto const items_of                 = [&](std::int64_t walk) {
    constexpr std::int64_t many = 1 << 24;
    std::int64_t const slots =
      parts(output_extent(p).height, walk) * parts(output_extent(p).width, toeplitz_block);
    return std::min(p.batch * p.output_channels(), many) * std::min(slots, many) / toeplitz_slots;
  };
  while (most > 7 && items_of(most) < fewest_items * device.multiprocessors) { most /= 2; }
  std::int64_t const rows = output_extent(p).height;
  std::int64_t const walk = even_part(rows, most);
  bool const in_turn      = p.input.width % 2 != 0 && p.stride.height % 2 != 0;
  return static_cast<int>(in_turn && walk < rows ? geometry::round_up(walk, 2) : walk);
}

/// Slots of a tile's output channel.
[[nodiscard]] constexpr std::int64_t slots(toeplitz_tile const& tile, int walk) noexcept
{
  return tile.images * parts(tile.rows, walk) * parts(tile.columns, toeplitz_block);
}

/// Matrix products of a tile, each the work of one warp.
[[nodiscard]] constexpr std::int64_t items(conv2d_problem const& p, toeplitz_tile const& tile,
                                           int walk) noexcept
{
  return parts(slots(tile, walk), toeplitz_slots) * tile.channels * p.multiplier;
}

[[nodiscard]] constexpr std::int64_t count(conv2d_problem const& p,
                                           toeplitz_tile const& tile) noexcept
{
  extent2 const out = output_extent(p);
  return parts(p.batch, tile.images) * parts(p.channels, tile.channels) *
         parts(out.height, tile.rows) * parts(out.width, tile.columns);
}

/// Output rows of a walk down a part of a plane: long, unless the strip of full rows that it needs
/// takes more than its share of shared memory.
[[nodiscard]] constexpr int walk_of_part(conv2d_problem const& p, aims const& aim,
                                         device_facts const& device) noexcept
{
  extent2 const out = output_extent(p);
  // Windows of columns are as high as it takes, but where a filter of one row shares none.
  bool const full_rows = out.width <= aim.most_columns || p.filter.height == 1;
  if (!full_rows || p.stride.height > 1) { return walk_down(p, aim, device); }
  std::int64_t const row_bytes =
    std::min<std::int64_t>(p.input.width, aim.most_columns) * toeplitz_element_bytes;
  std::int64_t const fitting = aim.staged_bytes * 3 / 2 / row_bytes - p.filter.height + 1;
  aims shorter               = aim;
  shorter.walk = static_cast<int>(std::clamp<std::int64_t>(fitting, aim.walk / 2, aim.walk));
  if (shorter.walk < aim.walk) { shorter.walk = aim.walk / 2; }
  return walk_down(p, shorter, device);
}

/// A part of a plane: a window of columns where rows are long, of as many rows as it takes to read
/// few of them twice.
constexpr void cut_plane(conv2d_problem const& p, aims const& aim, toeplitz_tile& tile,
                         int walk) noexcept
{
  extent2 const out = output_extent(p);
  tile.columns      = static_cast<int>(out.width);
  if (out.width > aim.most_columns) {
    tile.columns =
      static_cast<int>(geometry::round_up(even_part(out.width, aim.most_columns), toeplitz_block));
  }
  std::int64_t const shared_rows = std::max<std::int64_t>(p.filter.height - p.stride.height, 0);
  std::int64_t const runs        = parts(out.height, walk);
  std::int64_t wanted =
    std::max<std::int64_t>(parts(shared_rows * aim.halo_rows, walk * p.stride.height), 1);
  auto const bytes_of = [&](std::int64_t r) {
    toeplitz_tile t = tile;
    t.rows          = static_cast<int>(r * walk);
    return staged_bytes(p, t);
  };
  while (wanted < runs && bytes_of(wanted + 1) <= aim.staged_bytes) { ++wanted; }
  // Narrower before lower: of a low strip more rows are read twice.
  constexpr int fewest_columns = toeplitz_block * toeplitz_slots;
  while (bytes_of(wanted) > aim.staged_bytes * 3 / 2 && tile.columns >= 2 * fewest_columns) {
    std::int64_t const part    = even_part(out.width, tile.columns / 2);
    std::int64_t const rounded = geometry::round_up(part, fewest_columns);
    // Windows of full matrix products, if the last is not left half empty.
    bool const even = (parts(out.width, rounded) * rounded - out.width) * 20 <= out.width;
    tile.columns    = static_cast<int>(even ? rounded : geometry::round_up(part, toeplitz_block));
  }
  while (wanted > 1 && bytes_of(wanted) > 3 * aim.staged_bytes) { --wanted; }
  tile.rows = static_cast<int>(std::min<std::int64_t>(even_part(runs, wanted) * walk, out.height));
}

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
                             ? slots(tile, walk)
                             : parts(out.width, toeplitz_block);
  std::int64_t best      = 1;
  auto const idle        = [&](std::int64_t images) {
    return (parts(images * own, toeplitz_slots) * toeplitz_slots - images * own) * 64 / images;
  };
  // Rows of odd length begin alike in all images only where those are an even number of elements
  // apart.
  bool const alike = p.channels % 2 == 0 || p.input.height % 2 == 0 || p.input.width % 2 == 0;
  std::int64_t const most = alike ? std::min<std::int64_t>(p.batch, toeplitz_slots) : 1;
  for (std::int64_t images = 1; images <= most; ++images) {
    if (images > 1 && images * plane > aim.staged_bytes) { break; }
    if (idle(images) < idle(best)) { best = images; }
  }
  tile.images = static_cast<int>(best);
  tile.channels =
    static_cast<int>(std::clamp<std::int64_t>(aim.staged_bytes / (best * plane), 1, p.channels));
  auto const uneven = [&] {
    std::int64_t const work = items(p, tile, walk);
    return work > 2 * aim.warps || (work > aim.warps && work % aim.warps != 0) ||
           toeplitz_layout::shared_bytes(p, tile) > aim.shared_bytes;
  };
  while (tile.channels > 1 && uneven()) { --tile.channels; }
  // Runs of channels that begin and end where 16-byte pieces do, if there is room for several.
  std::int64_t const bits = p.input.height * p.input.width | out.height * out.width | 8;
  int const unit          = static_cast<int>(8 / (bits & -bits));
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
  constexpr std::int64_t longest = 8192;
  std::int64_t const width       = output_extent(p).width;
  std::int64_t const part        = geometry::round_up(even_part(width, longest), toeplitz_stretch);
  policy.along                   = true;
  policy.tile.columns            = static_cast<int>(std::min(part, width));
  std::int64_t const steps       = parts(policy.tile.columns, toeplitz_stretch);
  policy.walk                    = static_cast<int>(even_part(steps, aim.walk));
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
  toeplitz_tile& tile      = policy.tile;
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
  } else {
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
  return count_threads(items(p, tile, policy.walk));
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
  if (p.dilation != extent2{1, 1}) { return "its filter has no holes: the filter is dilated"; }
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
  if (std::max(p.filter.width, (toeplitz_block - 1) * p.stride.width + p.filter.width + 1) >
      toeplitz_depth * toeplitz_most_chunks) {
    return "the filter is wider than the matrix products compiled";
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
