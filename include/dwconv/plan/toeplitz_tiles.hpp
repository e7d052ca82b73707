// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/kernels/toeplitz/policy.hpp>

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
    std::min(p.input.height, (tile.rows - 1) * p.stride.height + filter_span(p).height);
  std::int64_t const columns =
    std::min(p.input.width, (tile.columns - 1) * p.stride.width + filter_span(p).width);
  return tile.images * tile.channels * rows * columns * toeplitz_element_bytes;
}

/// Output rows of a walk, of as equal a length as can be down a plane.
[[nodiscard]] constexpr int walk_down(conv2d_problem const& p, aims const& aim,
                                      device_facts const& device) noexcept
{
  if (!toeplitz_holds_filter(p, toeplitz_begin(p))) { return toeplitz_sums; }
  auto const phases = toeplitz_phases::of(p);
  std::int64_t most = p.stride.height > 1 ? aim.walk / 2 : aim.walk;
  // Few planes: shorter, until every multiprocessor has some warps.
  constexpr std::int64_t fewest_items = 8;
  auto const items_of                 = [&](std::int64_t walk) {
    constexpr std::int64_t many = 1 << 24;
    std::int64_t const slots = phases.walks(output_extent(p).height, static_cast<int>(walk)) *
                               parts(output_extent(p).width, toeplitz_block);
    return std::min(p.batch * p.output_channels(), many) * std::min(slots, many) / toeplitz_slots;
  };
  while (most > 7 && items_of(most) < fewest_items * device.multiprocessors) { most /= 2; }
  std::int64_t const rows = phases.rows_of(output_extent(p).height);
  std::int64_t const walk = even_part(rows, most);
  bool const in_turn = p.input.width % 2 != 0 && p.stride.height % 2 != 0 && phases.step % 2 != 0;
  return static_cast<int>(in_turn && walk < rows ? geometry::round_up(walk, 2) : walk);
}

/// Slots of a tile's output channel: of one of the classes of its phases.
[[nodiscard]] constexpr std::int64_t slots(conv2d_problem const& p, toeplitz_tile const& tile,
                                           int walk) noexcept
{
  return tile.images * toeplitz_phases::of(p).walks(tile.rows, walk) *
         toeplitz_row_blocks(p, tile.columns);
}

/// Matrix products of a tile, each the work of one warp.
[[nodiscard]] constexpr std::int64_t items(conv2d_problem const& p, toeplitz_tile const& tile,
                                           int walk) noexcept
{
  return parts(slots(p, tile, walk), toeplitz_slots) * toeplitz_phases::of(p).classes *
         tile.channels * p.multiplier;
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
  shorter.walk =
    static_cast<int>(std::clamp<std::int64_t>(fitting / 4 * 4, aim.walk / 2, aim.walk));
  return walk_down(p, shorter, device);
}

/// Windows of columns of long rows: as wide as leaves room for a walk of some length, and one walk
/// high. The wider they are the fewer copies of rows there are, and the higher the fewer rows are
/// read twice. Lanes store results themselves: neighbours that fill a memory transaction.
[[nodiscard]] constexpr bool cut_windows(conv2d_problem const& p, aims const& aim,
                                         device_facts const& device, toeplitz_tile& tile,
                                         int& walk) noexcept
{
  extent2 const out = output_extent(p);
  bool const held   = toeplitz_holds_filter(p, toeplitz_begin(p));
  if (!held || p.filter.height == 1 || p.stride != extent2{1, 1} || out.width <= aim.most_columns ||
      walk_down(p, aim, device) < aim.walk * 5 / 7) {
    return false;
  }
  tile.kept              = !toeplitz_stores_each(p);
  std::int64_t const room = tile.kept ? aim.staged_bytes * 3 / 2 : aim.staged_bytes * 15 / 8;
  int const longest       = tile.kept ? aim.walk : aim.walk * 8 / 7;
  int const long_enough   = tile.kept ? aim.walk * 5 / 7 : aim.walk;
  for (int part = 4; part >= 2; --part) {
    std::int64_t const columns =
      geometry::round_up(even_part(out.width, aim.most_columns * part / 4), toeplitz_block);
    std::int64_t const row_bytes = (columns + p.filter.width - 1) * toeplitz_element_bytes;
    std::int64_t const rows      = room / row_bytes - p.filter.height + 1;
    walk         = static_cast<int>(std::clamp<std::int64_t>(rows / 4 * 4, 4, longest));
    tile.columns = static_cast<int>(columns);
    tile.rows    = walk;
    if (walk >= long_enough) { break; }
  }
  return true;
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
  std::int64_t const fewest = wanted;
  while (wanted < runs && bytes_of(wanted + 1) <= aim.staged_bytes) { ++wanted; }
  // As many walks as fill matrix products, and few.
  std::int64_t const blocks = parts(tile.columns, toeplitz_block);
  auto const cost           = [&](std::int64_t r) {
    std::int64_t const multiplied = geometry::round_up(r * blocks, toeplitz_slots);
    return multiplied * (2 * r * walk * p.stride.height + shared_rows) * 1000 /
           (r * r * blocks * walk);
  };
  std::int64_t best = wanted;
  constexpr std::int64_t few_walks = 64;
  for (std::int64_t r = wanted - 1; wanted <= few_walks && r >= fewest; --r) {
    if (cost(r) * 20 <= cost(best) * 21) { best = r; }
  }
  wanted = best;
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

/// A part of a plane, of a filter that is dilated down it: full rows, or windows of long ones, and of
/// some lengths and numbers of walks those that take the fewest steps for what they leave, rows read
/// twice considered.
constexpr void cut_phases(conv2d_problem const& p, aims const& aim, toeplitz_tile& tile,
                          int& walk) noexcept
{
  // What a warp does beside its steps, in steps.
  constexpr std::int64_t beside = 6, scale = 1 << 12;
  extent2 const out   = output_extent(p);
  auto const phases   = toeplitz_phases::of(p);
  std::int64_t lowest = INT64_MAX;
  // Where nothing has room, no smaller one would be worth its halo.
  tile = {.rows = static_cast<int>(out.height), .columns = static_cast<int>(out.width)};
  for (int most = aim.most_columns; most >= 64 && lowest == INT64_MAX; most /= 2) {
    std::int64_t const part    = geometry::round_up(even_part(out.width, most), toeplitz_block);
    std::int64_t const columns = std::min(part, out.width);
    for (int length = 4; length <= aim.walk; length += 2) {
      for (int down = 1; down <= 3; ++down) {
        std::int64_t const rows =
          std::min<std::int64_t>(std::int64_t{length} * phases.step * down, out.height);
        toeplitz_tile const t{.rows = static_cast<int>(rows), .columns = static_cast<int>(columns)};
        if (2 * staged_bytes(p, t) > 5 * aim.staged_bytes) { break; }
        std::int64_t const steps = length + p.filter.height - 1 + beside;
        std::int64_t const work  = items(p, t, length) / p.multiplier * parts(out.height, rows) *
                                  toeplitz_slots * toeplitz_block * steps * scale /
                                  (out.height * columns);
        std::int64_t const cost = work + filter_span(p).height * scale / (2 * rows);
        if (cost < lowest) {
          lowest = cost;
          tile   = t;
          walk   = length;
        }
        if (rows == out.height) { break; }
      }
    }
  }
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
  tile.images = static_cast<int>(best);
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
  return policy.stacks ? toeplitz_stack::of(p, policy.tile).shared_bytes()
                       : toeplitz_layout::shared_bytes(p, policy.tile);
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
  policy.passing          = p.stride.height * p.stride.width > 1 &&
                   read * toeplitz_element_bytes <= 4 * device.l2_bytes;
  auto const count_threads = [&](std::int64_t work) {
    std::int64_t const passes = parts(std::max<std::int64_t>(work, 1), aim.warps);
    policy.threads = static_cast<int>(32 * parts(std::max<std::int64_t>(work, 1), passes));
    return policy;
  };
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
  // Of the matrices of a filter dilated that far a warp makes use several times.
  std::int64_t const uses = toeplitz_dilated(p) && toeplitz_chunks(p, toeplitz_begin(p)) > 1 ? 2 : 1;
  return count_threads(parts(items(p, tile, policy.walk), uses));
}

/// Why the toeplitz family cannot take a problem, or null; `policy` becomes the tile that was chosen
/// to see whether it fits.
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
  if (std::max(filter_span(p).width, (toeplitz_block - 1) * p.stride.width + filter_span(p).width + 1) >
      toeplitz_depth * toeplitz_most_chunks) {
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
  return toeplitz_tiles::count(p, policy.tile) > INT32_MAX
           ? "y needs more blocks than one launch has"
           : nullptr;
}

}  // namespace dwconv
