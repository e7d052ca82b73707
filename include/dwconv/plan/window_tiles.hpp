// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/tall_search.hpp>
#include <dwconv/plan/window_room.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

namespace window_tiles {

/// What a tile aims for; found on an H200 with CUDA 13.0 by trying thousands of tiles on shapes of
/// every kind (docs/tuning.md has the figures). Blocks are small, one to four warps, and many share
/// a multiprocessor: one computes while others wait for memory.
struct aims {
  int walk;         ///< Rows a thread takes of a tile in one chunk.
  int strip_rows;   ///< Rows of a tile that passes through shared memory in chunks,
  int least_rows;   ///< and the fewest that it is cut into where there are few planes.
  int across;       ///< Most threads along a row of such a tile.
  int steps;        ///< Of its chunks, if it has one plane; else half of them.
  int most_across;  ///< Threads along a row up to which one chunk is better.
  int busy_warps;   ///< Warps a multiprocessor should have at least.
  int idle_part;    ///< One thread in so many may be idle before a larger block is better.
};

// Short filters: short walks read few rows twice, and little tiles leave room for many blocks.
inline constexpr aims short_filter{.walk        = 7,
                                   .strip_rows  = 16,
                                   .least_rows  = 8,
                                   .across      = 96,
                                   .steps       = 4,
                                   .most_across = 64,
                                   .busy_warps  = 4,
                                   .idle_part   = 3};
inline constexpr aims middle_filter{.walk        = 10,
                                    .strip_rows  = 42,
                                    .least_rows  = 12,
                                    .across      = 64,
                                    .steps       = 8,
                                    .most_across = 8,
                                    .busy_warps  = 8,
                                    .idle_part   = 6};
// Tall filters are bound by their multiply-adds: a walk spends filter height - 1 rows of them at
// its ends, so it should be long.
inline constexpr aims tall_filter{.walk        = 20,
                                  .strip_rows  = 256,
                                  .least_rows  = 16,
                                  .across      = 64,
                                  .steps       = 8,
                                  .most_across = 0,
                                  .busy_warps  = 10,
                                  .idle_part   = 6};

[[nodiscard]] constexpr aims aims_for(conv2d_problem const& p) noexcept
{
  std::int64_t const live = geometry::live_rows(p);
  return live > 5                                            ? tall_filter
         : live > 3 || p.filter.height * p.filter.width > 12 ? middle_filter
                                                             : short_filter;
}

/// The piece that wastes least where rows end.
[[nodiscard]] constexpr window_piece_shape choose_piece(conv2d_problem const& p,
                                                        int element_bytes) noexcept
{
  window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
  std::int64_t const width     = output_extent(p).width;
  int best                     = 0;
  std::int64_t least           = INT64_MAX;
  for (int i = 0; i < list.count; ++i) {
    int const columns = list.shapes[i].columns;
    std::int64_t const cost =
      geometry::divide_up(width, columns) * columns * (1000 + list.extra_cost[i]);
    if (cost < least) {
      best  = i;
      least = cost;
    }
  }
  return list.shapes[best];
}

/// How many of something that takes `threads` threads share a block: `least`, or more where that
/// leaves more than one thread in `idle_part` idle.
[[nodiscard]] constexpr std::int64_t fill_warps(std::int64_t threads, std::int64_t least,
                                                std::int64_t most, int idle_part) noexcept
{
  for (std::int64_t n = least; n <= most && n * threads <= window_threads; ++n) {
    std::int64_t const lanes = geometry::divide_up(n * threads, warp_size) * warp_size;
    if ((lanes - n * threads) * idle_part <= lanes) { return n; }
  }
  return least;
}

/// Planes that a block may take for what it stages of them to stay small: many blocks shall share
/// a multiprocessor.
[[nodiscard]] constexpr std::int64_t planes_that_fit(conv2d_problem const& p, tile_shape tile,
                                                     int element_bytes) noexcept
{
  constexpr std::int64_t small_block = 40 * 1024;
  tile.planes                        = 1;
  std::int64_t const planes = std::min<std::int64_t>(p.batch * p.output_channels(), warp_size);
  std::int64_t const bytes  = tile_elements(p, tile, element_bytes, 0) * element_bytes;
  return std::clamp<std::int64_t>(small_block / bytes, 1, std::max<std::int64_t>(planes, 1));
}

/// A tile of one chunk: whole planes, or some rows of one, each thread walking down a few.
[[nodiscard]] constexpr window_policy in_one_chunk(conv2d_problem const& p,
                                                   window_piece_shape piece, int walk,
                                                   aims const& aim, int element_bytes) noexcept
{
  extent2 const out         = output_extent(p);
  std::int64_t const across = geometry::divide_up(out.width, piece.columns);
  int segment               = even_part(out.height, piece.rows > 0 ? piece.rows : walk);
  // Threads an odd number of rows apart meet different banks unless rows are 32 wide.
  if (segment % 2 == 0 && segment < out.height && piece.rows == 0) { ++segment; }
  std::int64_t const down = geometry::divide_up(out.height, segment);

  window_policy policy{};
  policy.piece           = piece;
  policy.rows_per_thread = segment;
  policy.tile.columns    = static_cast<int>(out.width);
  if (across * down <= warp_size) {
    policy.tile.rows         = static_cast<int>(out.height);
    policy.tile.steps        = static_cast<int>(geometry::steps_for(p, policy.tile.rows));
    std::int64_t const most  = planes_that_fit(p, policy.tile, element_bytes);
    std::int64_t const least = std::min(most, warp_size / (across * down));
    policy.tile.planes = static_cast<int>(fill_warps(across * down, least, most, aim.idle_part));
  } else {
    // No tile is all borders.
    std::int64_t const least =
      std::min<std::int64_t>(std::max<std::int64_t>(2, warp_size / across), down);
    std::int64_t const fit = fill_warps(across, least, down, aim.idle_part);
    policy.tile.rows       = static_cast<int>(std::min<std::int64_t>(segment * fit, out.height));
    policy.tile.steps      = static_cast<int>(geometry::steps_for(p, policy.tile.rows));
  }
  return policy;
}

/// A tile that passes through shared memory in chunks: rows or windows of them, all the way down a
/// strip.
[[nodiscard]] constexpr window_policy in_chunks(conv2d_problem const& p, window_piece_shape piece,
                                                aims const& aim, int element_bytes) noexcept
{
  extent2 const out = output_extent(p);
  window_policy policy{};
  policy.piece = {piece.columns, 0};
  policy.tile.columns =
    part_of_row(out.width, std::int64_t{aim.across} * piece.columns, element_bytes);
  policy.tile.rows       = even_part(out.height, aim.strip_rows);
  policy.rows_per_thread = policy.tile.rows;
  // Chunks keep their distance to a copy's boundary; the rows of one have a lane each.
  int const least   = copy_bytes / element_bytes;
  policy.tile.steps = aim.steps;
  if (policy.tile.columns == out.width) {
    std::int64_t const across = geometry::divide_up(out.width, piece.columns);
    // Of fewer steps, more planes fit; two warps are as many as shall wait for each other then.
    tile_shape several        = policy.tile;
    several.steps             = element_bytes == 4 ? std::max(aim.steps / 2, least) : aim.steps;
    std::int64_t const single = planes_that_fit(p, policy.tile, element_bytes);
    std::int64_t const most   = std::max(
        single, std::min(planes_that_fit(p, several, element_bytes), 2 * warp_size / across));
    policy.tile.planes = static_cast<int>(fill_warps(
      across, std::clamp<std::int64_t>(warp_size / across, 1, most), most, aim.idle_part));
  }
  int const aimed = std::max(policy.tile.planes > 1 ? aim.steps / 2 : aim.steps, least);
  int const steps = p.stride.height <= warp_size / aimed ? aimed : least;
  policy.tile.steps =
    static_cast<int>(std::min<std::int64_t>(steps, geometry::steps_for(p, policy.tile.rows)));
  return policy;
}

}  // namespace window_tiles

/// Chooses a tile. Goes by ranges, never by single sizes. The problem's planes have extents of at
/// most 2^24.
[[nodiscard]] constexpr window_policy choose_window_policy(conv2d_problem const& p,
                                                           int element_bytes,
                                                           device_facts const& device) noexcept
{
  using namespace window_tiles;
  extent2 const out = output_extent(p);
  aims const aim    = aims_for(p);
  if (geometry::live_rows(p) > 5 && element_bytes == 4) {
    window_policy policy = tall_search{p, element_bytes, device}.best();
    policy.threads =
      static_cast<int>(geometry::divide_up(threads_of(policy), warp_size)) * warp_size;
    return policy;
  }
  window_piece_shape const piece = choose_piece(p, element_bytes);
  std::int64_t const across      = geometry::divide_up(out.width, piece.columns);
  bool const one_chunk           = across <= aim.most_across || out.height <= aim.walk;

  auto const warps = [&](window_policy const& policy) {
    return blocks_of(p, policy) * geometry::divide_up(threads_of(policy), warp_size);
  };
  std::int64_t const busy = std::int64_t{device.multiprocessors} * aim.busy_warps;
  aims strip              = aim;
  window_policy policy{};
  if (one_chunk && across <= window_threads / 2) {
    policy = in_one_chunk(p, piece, aim.walk, aim, element_bytes);
    // Where there is little to do, shorter walks and fewer planes for more blocks.
    for (int walk = aim.walk / 2; walk > 0 && piece.rows == 0 && warps(policy) < busy; walk /= 2) {
      policy = in_one_chunk(p, piece, walk, aim, element_bytes);
    }
  } else {
    policy = in_chunks(p, piece, strip, element_bytes);
    while (policy.tile.rows / 2 >= aim.least_rows && warps(policy) < busy) {
      strip.strip_rows = policy.tile.rows / 2;
      policy           = in_chunks(p, piece, strip, element_bytes);
    }
  }
  // Not every GPU has shared memory for that: fewer planes, then rows in narrower parts.
  while (policy.tile.planes > 1 && !fits(p, policy, element_bytes, device)) {
    policy.tile.planes = (policy.tile.planes + 1) / 2;
  }
  for (int part = aim.across; part > 0 && !fits(p, policy, element_bytes, device); part /= 2) {
    strip.across = part;
    policy       = in_chunks(p, piece, strip, element_bytes);
  }
  policy.threads = static_cast<int>(geometry::divide_up(threads_of(policy), warp_size)) * warp_size;
  return policy;
}

}  // namespace dwconv
