// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/window/runtime_policy.hpp>
#include <dwconv/plan/window_tiles.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

namespace runtime_window_tiles {

/// A problem as the kernel for it sees it.
struct view {
  conv2d_problem const& p;
  int element_bytes;
  extent2 out;
  extent2 span;
  runtime_window_walk walk;
  int number;  ///< Of the kernel.
  runtime_window_size size;
  runtime_window_row row;
  runtime_window_filter filter;
  std::int64_t overhang;

  constexpr view(conv2d_problem const& problem, int bytes) noexcept
    : p{problem},
      element_bytes{bytes},
      out{output_extent(problem)},
      span{filter_span(problem)},
      walk{problem},
      number{runtime_window_number(problem, bytes)},
      size{runtime_window_size_of(number, bytes)},
      row{problem, size.taps},
      filter{walk, row},
      overhang{runtime_window_overhang(problem, size)}
  {}
};

/// Of the tile's area and its filters.
[[nodiscard]] constexpr std::int64_t shared_bytes(view const& v, tile_shape const& tile) noexcept
{
  return 128 + tile_elements(v.p, tile, v.element_bytes, v.overhang) * v.element_bytes +
         std::int64_t{tile.planes} * v.filter.plane_pitch * (v.element_bytes == 8 ? 8 : 4);
}

/// Threads along a row of a tile.
[[nodiscard]] constexpr std::int64_t pieces_across(view const& v, std::int64_t columns) noexcept
{
  std::int64_t const residues = std::min<std::int64_t>(v.row.phases, columns);
  return residues * geometry::divide_up(geometry::divide_up(columns, residues), v.size.columns);
}

/// Rows of a tile that are one thread's at most.
[[nodiscard]] constexpr std::int64_t rows_of_residue(view const& v, std::int64_t rows) noexcept
{
  return geometry::divide_up(rows, std::min<std::int64_t>(v.walk.phases, rows));
}

/// Threads that have work in a tile.
[[nodiscard]] constexpr std::int64_t pieces_of(view const& v, window_policy const& policy) noexcept
{
  std::int64_t const residues = std::min<std::int64_t>(v.walk.phases, policy.tile.rows);
  return pieces_across(v, policy.tile.columns) * residues *
         geometry::divide_up(rows_of_residue(v, policy.tile.rows), policy.rows_per_thread) *
         policy.tile.planes;
}

/// Instructions of a thread in one step, counted in what the compiler makes of it for sm_90; a
/// multiply-add of doubles takes the time of two.
[[nodiscard]] constexpr std::int64_t step_instructions(view const& v) noexcept
{
  bool const wide         = v.element_bytes == 8;
  std::int64_t const taps = v.row.run_taps;
  std::int64_t const read = (v.size.columns + taps - 1) * (v.element_bytes == 4 ? 4 : 5);
  std::int64_t const add =
    v.walk.live * taps * v.size.columns * (wide ? 2 : 1) + v.walk.live * taps / (wide ? 2 : 4);
  std::int64_t const run = read + add + 2 * taps + (v.row.runs > 1 ? 40 : 15);
  return v.walk.step_rows * (v.row.runs * run + 10) + 3 * v.size.columns + 30;
}

/// What a launch takes, in the cycles of one multiprocessor, squared: of memory, of instructions,
/// and of waiting, as far as other blocks do not fill it. Rounded from what was measured on an
/// H200.
[[nodiscard]] constexpr double cost(view const& v, window_policy const& policy,
                                    std::int64_t step_instructions_,
                                    device_facts const& device) noexcept
{
  constexpr double bytes_a_cycle = 16, burst_bytes_a_cycle = 25, instructions_a_cycle = 3;
  constexpr double start_cycles = 2400, step_cycles = 40, run_cycles = 60, chunk_cycles = 400,
                   chunk_latency = 600;
  constexpr std::int64_t warp_instructions = 450, block_instructions = 400, block_bytes = 1024;
  constexpr std::int64_t chunk_instructions = 200;
  tile_shape const& tile    = policy.tile;
  std::int64_t const pieces = pieces_of(v, policy);
  std::int64_t const warps  = geometry::divide_up(pieces, window_tiles::warp_size);
  std::int64_t const steps  = policy.rows_per_thread + v.walk.live - 1;
  std::int64_t const shared = shared_bytes(v, tile) + block_bytes;
  std::int64_t const resident =
    std::clamp<std::int64_t>(std::min(device.shared_bytes_per_sm / shared,
                                      v.size.blocks * runtime_window_threads /
                                        (warps * window_tiles::warp_size)),
                             1, 32);
  auto const met = [](std::int64_t outputs, std::int64_t stride, std::int64_t span,
                      std::int64_t input) { return std::min((outputs - 1) * stride + span, input); };
  std::int64_t const rows    = met(tile.rows, v.p.stride.height, v.span.height, v.p.input.height);
  std::int64_t const columns = met(tile.columns, v.p.stride.width, v.span.width, v.p.input.width);
  // Rows and columns that neighbours read as well come from the L2 cache.
  std::int64_t const own =
    std::min(tile.rows * v.p.stride.height, rows) * std::min(tile.columns * v.p.stride.width, columns);
  double const planes = static_cast<double>(tile.planes) * v.element_bytes;
  double const in     = static_cast<double>(rows * columns) * planes / static_cast<double>(v.p.multiplier);
  double const out    = static_cast<double>(tile.rows * tile.columns) * planes;
  double const twice =
    in - static_cast<double>(own) * planes / static_cast<double>(v.p.multiplier);
  double const memory = (in + out - twice / 2) / bytes_a_cycle;
  std::int64_t const chunks =
    geometry::divide_up(geometry::steps_for(v.p, tile.rows), tile.steps);
  double const issue =
    static_cast<double>(block_instructions +
                        warps * (warp_instructions + chunks * chunk_instructions +
                                 steps * step_instructions_)) /
    instructions_a_cycle;
  double const walk = static_cast<double>(steps) *
                      (static_cast<double>(step_instructions_) + step_cycles +
                       run_cycles * v.walk.step_rows * v.row.runs);
  double const moved = (in + out) / burst_bytes_a_cycle;
  auto const parts   = static_cast<double>(chunks);
  double const life =
    start_cycles + (chunks > 1 ? std::max(walk, moved + chunk_latency * parts) + chunk_cycles * parts
                               : walk + moved);
  double const wait   = life / static_cast<double>(resident);
  double const rounds = static_cast<double>(window_tiles::blocks_of(v.p, policy)) /
                        static_cast<double>(std::max(device.multiprocessors, 1));
  return (memory * memory + issue * issue + wait * wait) * rounds * rounds + life * life;
}

/// Rows of a copy by lanes of one warp, in a tile that is a window of columns.
inline constexpr std::int64_t most_runs = 32;

}  // namespace runtime_window_tiles

/// Chooses a tile of the window kernel for filters known at run time: of some tiles of every kind
/// the one of the least cost. The problem's planes have extents of at most 2^24, its filter at most
/// `runtime_window_most_live` rows of sums.
[[nodiscard]] constexpr window_policy choose_runtime_window_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace runtime_window_tiles;
  view const v{p, element_bytes};
  std::int64_t const instructions = step_instructions(v);
  std::int64_t const all_planes   = p.batch * p.output_channels();

  window_policy best{};
  double least = -1;
  window_policy tried{};
  tried.piece = {v.size.columns, 0};
  tried.number = v.number;

  auto const try_this = [&] {
    std::int64_t const pieces = pieces_of(v, tried);
    if (pieces > runtime_window_threads) { return; }
    bool const one = tried.tile.steps >= geometry::steps_for(p, tried.tile.rows);
    std::int64_t const runs =
      one ? std::max((tried.tile.rows - 1) * p.stride.height + v.span.height,
                     std::int64_t{tried.tile.rows})
          : tried.tile.steps * p.stride.height;
    if (tried.tile.columns < v.out.width && runs > most_runs) { return; }
    if (shared_bytes(v, tried.tile) > device.shared_bytes_per_block) { return; }
    double const here = cost(v, tried, instructions, device);
    if (least < 0 || here < least) { best = tried, least = here; }
  };
  /// With as many planes as fill one warp, two, and four.
  auto const try_planes = [&] {
    tried.tile.planes = 1;
    try_this();
    std::int64_t const pieces = pieces_of(v, tried);
    if (tried.tile.columns < v.out.width || 2 * pieces > runtime_window_threads) { return; }
    for (std::int64_t lanes = window_tiles::warp_size, before = 1; lanes <= 128; lanes *= 2) {
      std::int64_t const planes = std::min({lanes / pieces, all_planes, most_runs});
      if (planes <= before) { continue; }
      tried.tile.planes = static_cast<int>(planes);
      try_this();
      before = planes;
    }
    tried.tile.planes = 1;
  };
  auto const try_rows = [&](std::int64_t rows) {
    tried.tile.rows       = static_cast<int>(rows);
    std::int64_t const all   = rows_of_residue(v, rows);
    std::int64_t const steps = geometry::steps_for(p, rows);
    // In one chunk, by walks of several lengths.
    tried.tile.steps = static_cast<int>(steps);
    for (std::int64_t parts = 1, last = 0; parts <= all; parts *= 2) {
      std::int64_t const walk = geometry::divide_up(all, parts);
      if (walk != last) {
        tried.rows_per_thread = static_cast<int>(walk);
        try_planes();
      }
      last = walk;
      if (pieces_across(v, tried.tile.columns) * parts > runtime_window_threads) { break; }
    }
    // In several, of which each has some steps of every thread.
    tried.rows_per_thread = static_cast<int>(all);
    for (std::int64_t each : {4, 8}) {
      std::int64_t const chunk = geometry::round_up(each * v.walk.phases, copy_bytes / element_bytes);
      if (chunk * 2 > steps) { break; }
      tried.tile.steps = static_cast<int>(chunk);
      try_planes();
    }
  };
  std::int64_t const group = std::int64_t{v.size.columns} * v.row.phases;
  for (std::int64_t parts = 1;; parts = parts < 4 ? parts + 1 : parts * 2) {
    std::int64_t const part    = geometry::divide_up(v.out.width, parts);
    std::int64_t const columns = std::min(geometry::divide_up(part, group) * group, v.out.width);
    std::int64_t const across  = pieces_across(v, columns);
    tried.tile.columns         = static_cast<int>(parts == 1 ? v.out.width : std::min(part, columns));
    if (across <= runtime_window_threads) {
      tried.tile.columns = static_cast<int>(columns);
      for (std::int64_t rows = v.out.height;;) {
        try_rows(rows);
        if (rows <= 1) { break; }
        rows = geometry::divide_up(rows, 2);
      }
    }
    if (part <= group || (least >= 0 && across <= window_tiles::warp_size)) { break; }
  }
  if (least < 0) {  // does not fit
    best              = tried;
    best.tile.planes  = 1;
  }
  best.threads =
    static_cast<int>(geometry::divide_up(pieces_of(v, best), window_tiles::warp_size)) *
    window_tiles::warp_size;
  return best;
}

namespace runtime_window_tiles {

/// Instructions of one output that the kernel for any filter spends, in tenths.
inline constexpr std::int64_t any_per_output = 600;
inline constexpr std::int64_t any_per_tap    = 14;
/// Filters of so few taps wait for memory in any case.
inline constexpr std::int64_t few_taps = 24;

/// Whether this kernel is quicker than the one for any filter, which multiplies faster and stages
/// more slowly.
[[nodiscard]] constexpr bool quicker(conv2d_problem const& p, int element_bytes) noexcept
{
  std::int64_t const taps = p.filter.height * p.filter.width;
  if (taps <= few_taps) { return true; }
  view const v{p, element_bytes};
  std::int64_t const other = any_per_output + any_per_tap * taps * (element_bytes == 8 ? 2 : 1);
  return 10 * step_instructions(v) / v.size.columns < other;
}

}  // namespace runtime_window_tiles

}  // namespace dwconv
