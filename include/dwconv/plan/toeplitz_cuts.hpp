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
    std::int64_t const slots    = phases.walks(output_extent(p).height, static_cast<int>(walk)) *
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
  // Tensors at odd addresses need room for results all the same; and of rows narrower than a tile
  // windows beside the image begin behind what is staged.
  bool const narrow       = p.input.width < aim.most_columns + p.filter.width;
  tile.kept               = !toeplitz_stores_each(p) || p.multiplier > 1 || narrow;
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
  std::int64_t best                = wanted;
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

/// A part of a plane, of a filter that is dilated down it: full rows, or windows of long ones, and
/// of some lengths and numbers of walks those that take the fewest steps for what they leave, rows
/// read twice considered.
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
        // Large tiles leave fewer warps on a multiprocessor.
        std::int64_t const halo = filter_span(p).height * scale / (2 * rows);
        std::int64_t const cost =
          (work + halo) * (4 * aim.staged_bytes + staged_bytes(p, t)) / (4 * aim.staged_bytes);
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

}  // namespace toeplitz_tiles

}  // namespace dwconv
