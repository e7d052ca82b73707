// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/staging/tile_geometry.hpp>

namespace dwconv {

namespace window_tiles {

inline constexpr int warp_size = 32;

/// What a tile aims for; found on an H200 with CUDA 13.0 by trying thousands of tiles on shapes of
/// every kind (docs/tuning.md has the figures). Blocks are small, one to four warps, and many share
/// a multiprocessor: one computes while others wait for memory.
struct aims {
  int walk;          ///< Rows a thread takes of a tile in one chunk.
  int strip_rows;    ///< Rows of a tile that passes through shared memory in chunks.
  int strip_columns; ///< Most columns of such a tile.
  int steps;         ///< Of its chunks, a multiple of a copy's elements.
  int most_across;   ///< Threads along a row up to which one chunk is better.
};

// Short filters: short walks read few rows twice, and little tiles leave room for many blocks.
inline constexpr aims short_filter{
  .walk = 7, .strip_rows = 16, .strip_columns = 672, .steps = 4, .most_across = 64};
inline constexpr aims middle_filter{
  .walk = 10, .strip_rows = 32, .strip_columns = 448, .steps = 8, .most_across = 32};
// Tall filters are bound by their multiply-adds: no walk may be short, since it spends filter
// height - 1 rows of them at its ends.
inline constexpr aims tall_filter{
  .walk = 20, .strip_rows = 256, .strip_columns = 448, .steps = 4, .most_across = 0};

[[nodiscard]] constexpr aims aims_for(conv2d_problem const& p) noexcept
{
  std::int64_t const live = geometry::live_rows(p);
  return live <= 3 ? short_filter : live <= 5 ? middle_filter : tall_filter;
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

/// What is wasted where rows end, and what narrow pieces cost more, in 1/1000 of the work.
[[nodiscard]] constexpr std::int64_t cost_of(window_piece_shape piece, std::int64_t width) noexcept
{
  std::int64_t const computed = geometry::divide_up(width, piece.columns) * piece.columns;
  std::int64_t const narrow   = piece.columns >= 6 ? 0 : piece.columns == 5 ? 30 : 200;
  return computed * (1000 + narrow) / width;
}

[[nodiscard]] constexpr window_piece_shape choose_piece(conv2d_problem const& p,
                                                        int element_bytes) noexcept
{
  window_piece_list const list   = window_pieces(p.filter, p.stride, element_bytes);
  std::int64_t const width       = output_extent(p).width;
  window_piece_shape best        = list.shapes[0];
  for (int i = 1; i < list.count; ++i) {
    if (cost_of(list.shapes[i], width) < cost_of(best, width)) { best = list.shapes[i]; }
  }
  return best;
}

/// A tile of one chunk: whole planes, or some rows of one, each thread walking down a few.
[[nodiscard]] constexpr window_policy in_one_chunk(conv2d_problem const& p,
                                                   window_piece_shape piece, int walk) noexcept
{
  extent2 const out         = output_extent(p);
  std::int64_t const across = geometry::divide_up(out.width, piece.columns);
  int const segment         = even_part(out.height, piece.rows > 0 ? piece.rows : walk);
  std::int64_t const down   = geometry::divide_up(out.height, segment);
  // A warp's worth of threads, but no tile that is all borders.
  std::int64_t const fit = std::max<std::int64_t>(warp_size / across, 2);
  window_policy policy{};
  policy.piece        = piece;
  policy.tile.columns = static_cast<int>(out.width);
  policy.tile.rows    = static_cast<int>(
    fit >= down ? out.height : even_part(out.height, segment * fit));
  policy.rows_per_thread = even_part(policy.tile.rows, segment);
  if (fit >= down) {
    policy.tile.planes = static_cast<int>(std::clamp<std::int64_t>(
      warp_size / (across * down), 1, std::max<std::int64_t>(p.batch * p.output_channels(), 1)));
  }
  policy.tile.steps = static_cast<int>(geometry::steps_for(p, policy.tile.rows));
  return policy;
}

/// A tile that passes through shared memory in chunks: rows or windows of them, all the way down a
/// strip.
[[nodiscard]] constexpr window_policy in_chunks(conv2d_problem const& p, window_piece_shape piece,
                                                aims const& aim, int element_bytes) noexcept
{
  extent2 const out = output_extent(p);
  window_policy policy{};
  policy.piece           = piece;
  policy.tile.columns    = even_part(out.width, std::min<std::int64_t>(
                                               aim.strip_columns, window_threads * piece.columns));
  policy.tile.rows       = even_part(out.height, aim.strip_rows);
  policy.rows_per_thread = policy.tile.rows;
  if (policy.tile.columns == out.width) {
    std::int64_t const across = geometry::divide_up(out.width, piece.columns);
    policy.tile.planes        = static_cast<int>(std::clamp<std::int64_t>(
      warp_size / across, 1, std::max<std::int64_t>(p.batch * p.output_channels(), 1)));
  }
  // Chunks keep their distance to a copy's boundary; the rows of one have a lane each.
  int const least   = copy_bytes / element_bytes;
  int const aimed   = std::max(aim.steps, least);
  int const steps   = p.stride.height <= warp_size / aimed ? aimed : least;
  policy.tile.steps = static_cast<int>(
    std::min<std::int64_t>(steps, geometry::steps_for(p, policy.tile.rows)));
  return policy;
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

[[nodiscard]] constexpr std::int64_t blocks_of(conv2d_problem const& p,
                                               window_policy const& policy) noexcept
{
  extent2 const out = output_extent(p);
  return geometry::divide_up(p.batch * p.output_channels(), policy.tile.planes) *
         geometry::divide_up(out.height, policy.tile.rows) *
         geometry::divide_up(out.width, policy.tile.columns);
}

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
  window_piece_shape const piece = choose_piece(p, element_bytes);
  std::int64_t const across      = geometry::divide_up(out.width, piece.columns);
  bool const one_chunk           = across <= aim.most_across || out.height <= aim.walk;

  aims strip = aim;
  window_policy policy{};
  if (one_chunk && across <= window_threads / 2) {
    policy = in_one_chunk(p, piece, aim.walk);
    // Where there is little to do, shorter walks and fewer planes for more blocks.
    for (int walk = aim.walk / 2; walk > 0 && piece.rows == 0; walk /= 2) {
      if (blocks_of(p, policy) >= 2 * device.multiprocessors) { break; }
      policy = in_one_chunk(p, piece, walk);
    }
  } else {
    window_piece_shape sliding{piece.columns, 0};
    policy = in_chunks(p, sliding, strip, element_bytes);
    for (int rows = policy.tile.rows / 2; rows >= 8; rows /= 2) {
      if (blocks_of(p, policy) >= 4 * device.multiprocessors) { break; }
      strip.strip_rows = rows;
      policy           = in_chunks(p, sliding, strip, element_bytes);
    }
  }
  // Not every GPU has shared memory for that: fewer planes, then rows in narrower parts.
  while (policy.tile.planes > 1 && !fits(p, policy, element_bytes, device)) {
    policy.tile.planes = (policy.tile.planes + 1) / 2;
  }
  for (int columns = policy.tile.columns;
       columns > 0 && !fits(p, policy, element_bytes, device); columns /= 2) {
    strip.strip_columns = columns;
    policy              = in_chunks(p, {policy.piece.columns, 0}, strip, element_bytes);
  }
  std::int64_t const threads = geometry::divide_up(policy.tile.columns, policy.piece.columns) *
                               geometry::divide_up(policy.tile.rows, policy.rows_per_thread) *
                               policy.tile.planes;
  policy.threads = static_cast<int>(geometry::divide_up(threads, warp_size)) * warp_size;
  return policy;
}

}  // namespace dwconv
