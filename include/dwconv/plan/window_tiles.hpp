// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/window_cost.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

namespace window_tiles {

inline constexpr int warp_size = 32;

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
  return live > 5                                          ? tall_filter
         : live > 3 || p.filter.height * p.filter.width > 12 ? middle_filter
                                                           : short_filter;
}

/// Splits `whole` into as few equal parts of at most `most` as it takes, and returns a part.
[[nodiscard]] constexpr int even_part(std::int64_t whole, std::int64_t most) noexcept
{
  std::int64_t const parts = geometry::divide_up(whole, most);
  return static_cast<int>(geometry::divide_up(whole, parts));
}

[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p, tile_shape const& tile,
                                                  int element_bytes, int columns) noexcept
{
  return 128 + tile_elements(p, tile, element_bytes, window_overhang(p, columns)) * element_bytes;
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
    int const columns        = list.shapes[i].columns;
    std::int64_t const cost  = geometry::divide_up(width, columns) * columns *
                              (1000 + list.extra_cost[i]);
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
  std::int64_t const planes          = std::min<std::int64_t>(p.batch * p.output_channels(), warp_size);
  std::int64_t const bytes = tile_elements(p, tile, element_bytes, 0) * element_bytes;
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
    policy.tile.planes =
      static_cast<int>(fill_warps(across * down, least, most, aim.idle_part));
  } else {
    // No tile is all borders.
    std::int64_t const least = std::min<std::int64_t>(std::max<std::int64_t>(2, warp_size / across), down);
    std::int64_t const fit   = fill_warps(across, least, down, aim.idle_part);
    policy.tile.rows  = static_cast<int>(std::min<std::int64_t>(segment * fit, out.height));
    policy.tile.steps = static_cast<int>(geometry::steps_for(p, policy.tile.rows));
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
  policy.piece           = {piece.columns, 0};
  policy.tile.columns    = even_part(out.width, aim.across * piece.columns);
  policy.tile.rows       = even_part(out.height, aim.strip_rows);
  policy.rows_per_thread = policy.tile.rows;
  policy.tile.steps      = aim.steps;
  if (policy.tile.columns == out.width) {
    std::int64_t const across = geometry::divide_up(out.width, piece.columns);
    std::int64_t const most   = planes_that_fit(p, policy.tile, element_bytes);
    policy.tile.planes        = static_cast<int>(
      fill_warps(across, std::clamp<std::int64_t>(warp_size / across, 1, most), most,
                 aim.idle_part));
  }
  // Chunks keep their distance to a copy's boundary; the rows of one have a lane each.
  int const least   = copy_bytes / element_bytes;
  int const aimed   = std::max(policy.tile.planes > 1 ? aim.steps / 2 : aim.steps, least);
  int const steps   = p.stride.height <= warp_size / aimed ? aimed : least;
  policy.tile.steps = static_cast<int>(
    std::min<std::int64_t>(steps, geometry::steps_for(p, policy.tile.rows)));
  return policy;
}

[[nodiscard]] constexpr std::int64_t blocks_of(conv2d_problem const& p,
                                               window_policy const& policy) noexcept
{
  extent2 const out = output_extent(p);
  return geometry::divide_up(p.batch * p.output_channels(), policy.tile.planes) *
         geometry::divide_up(out.height, policy.tile.rows) *
         geometry::divide_up(out.width, policy.tile.columns);
}

/// Whether a warp has a lane for each run of a chunk, which starts its copy.
[[nodiscard]] constexpr bool has_lanes(conv2d_problem const& p, tile_shape const& tile) noexcept
{
  if (tile.columns >= output_extent(p).width) { return true; }  // a run a plane
  bool const one_chunk    = tile.steps >= geometry::steps_for(p, tile.rows);
  std::int64_t const rows = one_chunk ? (tile.rows - 1) * p.stride.height + p.filter.height
                                      : tile.steps * p.stride.height;
  return std::max<std::int64_t>(rows, one_chunk ? tile.rows : 0) <= warp_size;
}

[[nodiscard]] constexpr bool fits(conv2d_problem const& p, window_policy const& policy,
                                  int element_bytes, device_facts const& device) noexcept
{
  return shared_bytes(p, policy.tile, element_bytes, policy.piece.columns) <=
         device.shared_bytes_per_block;
}

[[nodiscard]] constexpr std::int64_t threads_of(window_policy const& policy) noexcept
{
  return geometry::divide_up(policy.tile.columns, policy.piece.columns) *
         geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes;
}

/// A tile that fits if any does.
[[nodiscard]] constexpr window_policy least_tile(conv2d_problem const& p,
                                                 int element_bytes) noexcept
{
  window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
  window_policy policy{};
  policy.piece        = {list.shapes[list.count - 1].columns, 0};
  policy.tile.columns = static_cast<int>(
    std::min<std::int64_t>(output_extent(p).width, policy.piece.columns));
  policy.tile.steps = static_cast<int>(geometry::live_rows(p));
  return policy;
}

/// Looks for the tile of the least cost among some of every kind, for filters that are bound by their
/// multiply-adds.
class tall_search {
 public:
  constexpr tall_search(conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
    : p_{p},
      element_bytes_{element_bytes},
      device_{device},
      cost_{p, element_bytes, device},
      out_{output_extent(p)},
      live_{geometry::live_rows(p)},
      planes_{std::max<std::int64_t>(p.batch * p.output_channels(), 1)},
      best_{least_tile(p, element_bytes)}
  {
    window_piece_list const list = window_pieces(p.filter, p.stride, element_bytes);
    for (int i = 0; i < list.count; ++i) {
      if (list.shapes[i].rows > 0) { continue; }
      tried_.piece = list.shapes[i];
      std::int64_t const all = geometry::divide_up(out_.width, tried_.piece.columns);
      if (all <= window_threads) { try_columns(out_.width); }
      for (int warps = 1; warps <= 2 && all > warps * warp_size; ++warps) {
        try_columns(even_part(out_.width, std::int64_t{warps} * warp_size * tried_.piece.columns));
      }
    }
  }

  [[nodiscard]] constexpr window_policy best() const noexcept { return best_; }

 private:
  /// Rows of a tile, if a plane has as many, and of one that is longer than that.
  static constexpr int least_rows = 8, most_rows = 400;
  /// Of a multiprocessor: three times what it holds.
  static constexpr int enough_warps = 48;

  constexpr void try_columns(std::int64_t columns) noexcept
  {
    if (columns == tried_.tile.columns && tried_.piece == last_piece_) { return; }
    tried_.tile.columns = static_cast<int>(columns);
    last_piece_         = tried_.piece;
    across_             = geometry::divide_up(columns, tried_.piece.columns);
    std::int64_t const column_tiles = geometry::divide_up(out_.width, columns);
    // All rows, a half, a third, a quarter, a sixth, an eighth, and so on, until there is enough to do.
    for (std::int64_t parts = 1; parts <= out_.height;
         parts += parts == 1 ? 1 : (parts & (parts - 1)) == 0 ? parts / 2 : parts / 3) {
      std::int64_t const rows = geometry::divide_up(out_.height, parts);
      if (rows > most_rows && out_.height > most_rows) { continue; }
      if (rows < least_rows && parts > 1 && found_) { break; }
      tried_.tile.rows = static_cast<int>(rows);
      try_rows(static_cast<int>(rows));
      std::int64_t const warps =
        planes_ * column_tiles * geometry::divide_up(out_.height, rows) * across_ / warp_size;
      if (warps >= std::int64_t{device_.multiprocessors} * enough_warps) { break; }
    }
  }

  /// Each thread walks down all rows, in one chunk or several.
  constexpr void try_rows(int rows) noexcept
  {
    int const steps        = rows + static_cast<int>(live_) - 1;
    tried_.rows_per_thread = rows;
    for (int chunk : {4, 8, 12, 16, steps}) {
      if (chunk > steps || (chunk < steps && chunk * element_bytes_ % copy_bytes != 0)) { continue; }
      tried_.tile.steps = chunk;
      try_planes();
    }
  }

  /// One plane, or as many as fill some warps.
  constexpr void try_planes() noexcept
  {
    std::int64_t const threads =
      across_ * geometry::divide_up(tried_.tile.rows, tried_.rows_per_thread);
    if (threads > window_threads) { return; }
    bool const joins        = tried_.tile.columns == out_.width;
    std::int64_t const most = joins ? std::min(planes_, most_planes) : 1;
    for (std::int64_t lanes = warp_size, before = 0; lanes <= window_threads; lanes += warp_size) {
      std::int64_t const planes = std::clamp<std::int64_t>(lanes / threads, 1, most);
      if (planes == before) { continue; }
      before             = planes;
      tried_.tile.planes = static_cast<int>(planes);
      take();
    }
  }

  constexpr void take() noexcept
  {
    if (!has_lanes(p_, tried_.tile)) { return; }
    if (!fits(p_, tried_, element_bytes_, device_)) { return; }
    // In one chunk only what leaves room for as many warps as registers do.
    bool const one_chunk = tried_.tile.steps >= tried_.tile.rows + live_ - 1;
    if (found_ && one_chunk && cost_.crowded(tried_)) { return; }
    double const here = cost_.of(tried_);
    if (found_ && here >= least_) { return; }
    best_ = tried_, least_ = here, found_ = true;
  }

  static constexpr std::int64_t most_planes = 32;

  conv2d_problem const& p_;
  int element_bytes_;
  device_facts const& device_;
  window_cost cost_;
  extent2 out_;
  std::int64_t live_;
  std::int64_t planes_;
  std::int64_t across_ = 1;
  window_piece_shape last_piece_{0, 0};
  window_policy tried_{};
  window_policy best_;
  double least_ = 1e300;
  bool found_   = false;
};

}  // namespace window_tiles

/// Chooses a tile. Goes by ranges, never by single sizes. The problem's planes have extents of at
/// most 2^24.
[[nodiscard]] constexpr window_policy choose_window_policy(conv2d_problem const& p,
                                                           int element_bytes,
                                                           device_facts const& device) noexcept
{
  using namespace window_tiles;
  extent2 const out              = output_extent(p);
  aims const aim                 = aims_for(p);
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
  aims strip = aim;
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
