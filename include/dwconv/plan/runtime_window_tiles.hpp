// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/policy.hpp>
#include <dwconv/plan/window_tiles.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

namespace runtime_window_tiles {

/// What tiles aim for, as `window_tiles::aims`.
inline constexpr window_tiles::aims low_filter{.walk        = 7,
                                               .strip_rows  = 16,
                                               .least_rows  = 8,
                                               .across      = 96,
                                               .steps       = 4,
                                               .most_across = 64,
                                               .busy_warps  = 4,
                                               .idle_part   = 3};
inline constexpr window_tiles::aims middle_filter{.walk        = 14,
                                                  .strip_rows  = 48,
                                                  .least_rows  = 12,
                                                  .across      = 96,
                                                  .steps       = 4,
                                                  .most_across = 64,
                                                  .busy_warps  = 8,
                                                  .idle_part   = 3};

/// Bytes of shared memory that a tile in one chunk may take, so that several share a
/// multiprocessor,
inline constexpr std::int64_t one_chunk_bytes = 36 * 1024;
/// and rows of one that is a window of columns: each is a copy of its own, by a lane of one warp.
inline constexpr std::int64_t most_runs = 32;

[[nodiscard]] constexpr window_tiles::aims aims_for(int live) noexcept
{
  return live <= 3 ? low_filter : middle_filter;
}

/// Of the tile's area and its filters.
[[nodiscard]] constexpr std::int64_t shared_bytes(conv2d_problem const& p,
                                                  window_policy const& policy,
                                                  int element_bytes) noexcept
{
  runtime_window_filter const filter{p, element_bytes};
  return window_tiles::shared_bytes(p, policy.tile, element_bytes, policy.piece.columns) +
         std::int64_t{policy.tile.planes} * filter.plane_pitch * (element_bytes == 8 ? 8 : 4);
}

/// Threads that have work in a tile.
[[nodiscard]] constexpr std::int64_t pieces_of(conv2d_problem const& p,
                                               window_policy const& policy) noexcept
{
  std::int64_t const residues = std::min(runtime_window_walk{p}.phases, policy.tile.rows);
  std::int64_t const rows     = geometry::divide_up(policy.tile.rows, residues);
  return geometry::divide_up(policy.tile.columns, policy.piece.columns) * residues *
         geometry::divide_up(rows, policy.rows_per_thread) * policy.tile.planes;
}

/// Joins planes, up to what `bytes` hold, as long as warps get fuller by it.
constexpr void join_planes(conv2d_problem const& p, window_policy& policy, int element_bytes,
                           std::int64_t bytes, std::int64_t blocks) noexcept
{
  auto const idle = [&](window_policy const& q) {
    std::int64_t const busy = pieces_of(p, q);
    return (geometry::divide_up(busy, window_tiles::warp_size) * window_tiles::warp_size - busy) *
           1000 / busy;
  };
  window_policy best = policy;
  for (int planes = 1; planes <= most_runs; ++planes) {
    window_policy tried = policy;
    tried.tile.planes   = planes;
    if (planes > p.batch * p.output_channels() || pieces_of(p, tried) > window_threads ||
        (planes > 1 && (shared_bytes(p, tried, element_bytes) > bytes ||
                        window_tiles::blocks_of(p, tried) < blocks))) {
      break;
    }
    if (planes == 1 || idle(tried) + 100 < idle(best)) { best = tried; }
  }
  policy = best;
}

/// A tile of a dilated filter: whole planes, or a strip or rectangle of one, in one chunk. Rows of
/// each residue are a thread's.
[[nodiscard]] constexpr window_policy of_residues(conv2d_problem const& p, window_piece_shape piece,
                                                  int walk, int element_bytes) noexcept
{
  extent2 const out  = output_extent(p);
  extent2 const span = filter_span(p);
  runtime_window_walk const steps{p};
  auto const of = [&](std::int64_t rows, std::int64_t columns) {
    window_policy policy{};
    policy.piece                = piece;
    policy.tile.rows            = static_cast<int>(rows);
    policy.tile.columns         = static_cast<int>(columns);
    std::int64_t const residues = std::min<std::int64_t>(steps.phases, rows);
    policy.rows_per_thread = window_tiles::even_part(geometry::divide_up(rows, residues), walk);
    policy.tile.steps      = static_cast<int>(geometry::steps_for(p, rows));
    return policy;
  };
  // Of 1000: what is staged, and the steps that threads take, for each output.
  auto const cost = [&](window_policy const& policy) {
    std::int64_t const rows    = policy.tile.rows;
    std::int64_t const columns = policy.tile.columns;
    std::int64_t const met = std::min((rows - 1) * p.stride.height + span.height, p.input.height);
    std::int64_t const met_across =
      std::min((columns - 1) * p.stride.width + span.width, p.input.width);
    std::int64_t const busy = pieces_of(p, policy);
    std::int64_t const lanes =
      geometry::divide_up(busy, window_tiles::warp_size) * window_tiles::warp_size;
    std::int64_t const taken = lanes * piece.columns * (policy.rows_per_thread + steps.live - 1);
    return 1000 * met * met_across / (rows * columns) + 500 * taken / (rows * columns);
  };
  auto const fits = [&](window_policy const& policy) {
    std::int64_t const met = (policy.tile.rows - 1) * p.stride.height + span.height;
    return pieces_of(p, policy) <= window_threads &&
           shared_bytes(p, policy, element_bytes) <= one_chunk_bytes &&
           (policy.tile.columns == out.width || met <= most_runs);
  };
  window_policy best = of(1, std::min<std::int64_t>(out.width, piece.columns));
  bool found         = false;
  for (std::int64_t wide = out.width;;) {
    for (std::int64_t parts = 1; parts <= out.height; parts += 1 + parts / 4) {
      window_policy const policy = of(geometry::divide_up(out.height, parts), wide);
      if (fits(policy) && (!found || cost(policy) < cost(best))) { best = policy, found = true; }
    }
    if (wide <= piece.columns) { return best; }
    wide = geometry::divide_up(wide, 2 * piece.columns) * piece.columns;
  }
}

}  // namespace runtime_window_tiles

/// Chooses a tile of the window kernel for filters known at run time. Goes by ranges, never by
/// single sizes. The problem's planes have extents of at most 2^24, its filter at most
/// `runtime_window_most_live` rows of sums.
[[nodiscard]] constexpr window_policy choose_runtime_window_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace runtime_window_tiles;
  extent2 const out = output_extent(p);
  runtime_window_walk const steps{p};
  runtime_window_size const size = runtime_window_for(steps.live, element_bytes);
  window_piece_shape const piece{size.columns, 0};
  window_tiles::aims aim    = aims_for(steps.live);
  std::int64_t const across = geometry::divide_up(out.width, piece.columns);
  bool const one_chunk      = across <= aim.most_across || out.height <= aim.walk;
  auto const narrow         = across <= window_threads / 2;

  window_policy policy{};
  if (p.filter.height > 1 && p.dilation.height > 1) {
    policy = of_residues(p, piece, aim.walk, element_bytes);
  } else if (one_chunk && narrow) {
    policy = window_tiles::in_one_chunk(p, piece, aim.walk, aim, element_bytes);
    for (int walk = aim.walk / 2; walk > 0; walk /= 2) {
      if (window_tiles::blocks_of(p, policy) >= 2 * device.multiprocessors) { break; }
      policy = window_tiles::in_one_chunk(p, piece, walk, aim, element_bytes);
    }
    if (shared_bytes(p, policy, element_bytes) > one_chunk_bytes && policy.tile.planes == 1) {
      policy = window_tiles::in_chunks(p, piece, aim, element_bytes);
    }
  } else {
    policy = window_tiles::in_chunks(p, piece, aim, element_bytes);
    for (int rows = policy.tile.rows / 2; rows >= 8; rows /= 2) {
      if (window_tiles::blocks_of(p, policy) >= 4 * device.multiprocessors) { break; }
      aim.strip_rows = rows;
      policy         = window_tiles::in_chunks(p, piece, aim, element_bytes);
    }
  }
  std::int64_t const bytes = std::min<std::int64_t>(one_chunk_bytes, device.shared_bytes_per_block);
  bool const whole_planes  = policy.tile.columns == out.width && policy.tile.rows == out.height;
  // Filters take room too.
  while (policy.tile.planes > 1 && shared_bytes(p, policy, element_bytes) > bytes) {
    policy.tile.planes = policy.tile.planes / 2;
  }
  if (whole_planes && policy.tile.planes == 1) {
    join_planes(p, policy, element_bytes, bytes, 2 * std::int64_t{device.multiprocessors});
  }
  policy.live = size.live;
  policy.threads =
    static_cast<int>(geometry::divide_up(pieces_of(p, policy), window_tiles::warp_size)) *
    window_tiles::warp_size;
  return policy;
}

namespace runtime_window_tiles {

/// Instructions of one output that this kernel and the one for any filter spend, in tenths; counted
/// in what the compiler makes of them for sm_90.
inline constexpr std::int64_t per_output       = 120;
inline constexpr std::int64_t per_tap_across   = 25;  ///< One by one,
inline constexpr std::int64_t per_tap_in_fours = 7;   ///< and in fours.
inline constexpr std::int64_t per_tap          = 10;
inline constexpr std::int64_t per_row_and_tap  = 30;  ///< Shared by a thread's columns,
inline constexpr std::int64_t per_live_row     = 20;  ///< as these.
inline constexpr std::int64_t any_per_output   = 600;
inline constexpr std::int64_t any_per_tap      = 14;
/// Filters of so few taps wait for memory in any case.
inline constexpr std::int64_t few_taps = 24;
/// With more taps than that and more rows of sums than these, too few threads share a
/// multiprocessor: 5x9 on an H200 takes 1.2 times, 9x9 at stride 2 1.8 times the other's time.
inline constexpr int most_live_and_many_taps = 4;

/// Whether this kernel is quicker than the one for any filter, which multiplies faster and stages
/// more slowly.
[[nodiscard]] constexpr bool quicker(conv2d_problem const& p, int element_bytes) noexcept
{
  std::int64_t const taps = p.filter.height * p.filter.width;
  if (taps <= few_taps) { return true; }
  runtime_window_filter const filter{p, element_bytes};
  std::int64_t const across = per_tap_across * filter.single +
                              per_tap_in_fours * (p.filter.width - filter.single);
  int const live = runtime_window_walk{p}.live;
  if (live > most_live_and_many_taps) { return false; }
  std::int64_t const columns = runtime_window_for(live, element_bytes).columns;
  std::int64_t const here =
    per_output + across + per_tap * taps + (per_row_and_tap * taps + per_live_row * live) / columns;
  return here < any_per_output + any_per_tap * taps;
}

}  // namespace runtime_window_tiles

}  // namespace dwconv
