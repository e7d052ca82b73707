// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/device_facts.hpp>
#include <dwconv/kernels/any_filter/policy.hpp>
#include <dwconv/problem/tensors.hpp>

namespace dwconv {

namespace any_filter_tiles {

/// What a tile aims for: so little shared memory that several blocks share a multiprocessor, and so
/// few threads that their number does not matter.
inline constexpr std::int64_t aimed_bytes = 56 * 1024;
inline constexpr int aimed_threads        = 128;
/// Of a tile that is bound by multiply-adds; two of them share a multiprocessor.
inline constexpr std::int64_t most_bytes = 110 * 1024;
inline constexpr std::int64_t warp_size  = 32;
/// How much fewer warps hide less of each other's waiting, and the cycles that a block waits for
/// memory; from times of some hundred tiles.
inline constexpr double few_warps = 2.5;
inline constexpr double waiting   = 3000;
/// On planes narrower than this the wide kernel gains nothing (docs/tuning.md),
inline constexpr std::int64_t least_wide = 96;
/// and this share of the other's time is asked of it.
inline constexpr double wide_must_gain = 0.99;
/// Filters of so many taps are bound by multiply-adds.
inline constexpr std::int64_t many_taps = 64;

[[nodiscard]] constexpr std::int64_t divide_up(std::int64_t value, std::int64_t divisor) noexcept
{
  return (value + divisor - 1) / divisor;
}

/// The problem and what is fixed about it, to weigh tiles with.
struct weighing {
  conv2d_problem const& problem;
  extent2 out;
  lattice_piece piece;
  int staged_bytes;
  std::int64_t most_bytes;

  [[nodiscard]] constexpr lattice_layout layout_of(lattice_tile const& tile) const noexcept
  {
    return {problem, tile, piece};
  }
  [[nodiscard]] constexpr std::int64_t bytes_of(lattice_tile const& tile) const noexcept
  {
    return layout_of(tile).size() * staged_bytes;
  }
  [[nodiscard]] constexpr std::int64_t threads_of(lattice_tile const& tile) const noexcept
  {
    return any_filter_slots{layout_of(tile), piece}.threads();
  }
  [[nodiscard]] constexpr bool fits(lattice_tile const& tile) const noexcept
  {
    return bytes_of(tile) <= most_bytes && threads_of(tile) <= any_filter_threads;
  }
  [[nodiscard]] constexpr bool whole(lattice_tile const& tile) const noexcept
  {
    return tile.rows == out.height && tile.columns == out.width;
  }
};

/// Outputs of a row that a tile takes: all, or an even part; fewer for high filters, where a tile
/// should be about as high as it is wide.
[[nodiscard]] constexpr int choose_columns(weighing const& w) noexcept
{
  std::int64_t const taps = w.problem.filter.height;
  std::int64_t const most = any_filter_folds(w.problem) ? 4704
                            : taps <= 4                 ? 512
                            : taps <= 16                ? 256
                                                        : 112;
  if (w.out.width <= most) { return static_cast<int>(w.out.width); }
  std::int64_t const part = divide_up(w.out.width, divide_up(w.out.width, most));
  std::int64_t const group =
    w.piece.columns * std::int64_t{lattice_axis{w.problem.input.width, w.out.width,
                                                w.problem.filter.width, w.problem.stride.width,
                                                w.problem.dilation.width, w.problem.pad.left, 1}
                                     .phases.divisor()};
  std::int64_t const rounded = divide_up(part, group) * group;
  return static_cast<int>(rounded <= most ? rounded : part);
}

/// Instructions an output that a tile costs, about, in 1024ths: multiply-adds of every thread, idle
/// or not, and what it takes to stage an element.
[[nodiscard]] constexpr std::int64_t cost_of(weighing const& w, lattice_layout const& l,
                                             std::int64_t threads) noexcept
{
  std::int64_t const outputs  = std::int64_t{l.tile.rows} * l.tile.columns;
  std::int64_t const taps     = w.problem.filter.height * w.problem.filter.width;
  std::int64_t const computed = threads * w.piece.rows * w.piece.columns * (taps + 10);
  return (computed + 12 * l.input_size) * 1024 / outputs;
}

/// Output rows of a tile with the given columns, of one plane.
[[nodiscard]] constexpr int choose_rows(weighing const& w, lattice_tile tile,
                                        device_facts const& device) noexcept
{
  tile.rows                 = static_cast<int>(w.out.height);
  lattice_layout const l    = w.layout_of(tile);
  std::int64_t const rows   = std::int64_t{w.piece.rows} * l.rows.phases.divisor();
  std::int64_t const across = l.columns.pieces(w.piece.columns);
  std::int64_t const groups = divide_up(w.out.height, rows);
  std::int64_t const planes = w.problem.batch * w.problem.output_channels();

  int best                = 0;
  std::int64_t least_cost = INT64_MAX;
  for (std::int64_t g = 1; g <= groups; ++g) {
    std::int64_t const parts = divide_up(groups, g);
    if (g > 1 && divide_up(groups, parts) != g) { continue; }  // the parts would not be even
    tile.rows                 = static_cast<int>(std::min(g * rows, w.out.height));
    lattice_layout const here = w.layout_of(tile);
    std::int64_t const pieces = here.rows.pieces(w.piece.rows) * across;
    if (!w.fits(tile)) { break; }
    if (best > 0 && pieces > aimed_threads * 3 / 2) { break; }
    if (best > 0 && planes * parts * l.columns.tiles() < 2 * device.multiprocessors) { break; }
    std::int64_t const cost =
      cost_of(w, here, divide_up(pieces, warp_size) * warp_size) * parts * g / groups;
    if (cost < least_cost) { least_cost = cost, best = tile.rows; }
  }
  if (best > 0) { return best; }
  // Not even one group fits: as many rows as do, each thread with fewer of them.
  std::int64_t least = std::max<std::int64_t>(
    std::min<std::int64_t>({rows, w.out.height, any_filter_threads / across}), 1);
  for (tile.rows = static_cast<int>(least); tile.rows > 1; tile.rows = (tile.rows + 1) / 2) {
    if (w.fits(tile)) { break; }
  }
  return tile.rows;
}

/// Joins whole planes that are beside each other in memory.
constexpr void join_planes(weighing const& w, lattice_tile& tile,
                           device_facts const& device) noexcept
{
  conv2d_problem const& p   = w.problem;
  lattice_layout const l    = w.layout_of(tile);
  std::int64_t const pieces = l.rows.pieces(w.piece.rows) * l.columns.pieces(w.piece.columns);
  std::int64_t const planes = std::max<std::int64_t>(aimed_threads / pieces, 1);
  std::int64_t channels     = std::min(planes, p.output_channels());
  std::int64_t images =
    std::clamp<std::int64_t>(planes / channels, 1, std::max<std::int64_t>(p.batch, 1));
  std::int64_t const wanted = 2 * std::int64_t{device.multiprocessors};
  for (;;) {
    if (channels > p.multiplier) { channels -= channels % p.multiplier; }
    tile.images   = static_cast<int>(images);
    tile.channels = static_cast<int>(channels);
    if (images * channels == 1) { return; }
    bool const enough = w.layout_of(tile).tiles >= wanted || p.batch * p.output_channels() < wanted;
    if (enough && w.fits(tile)) { return; }
    (images > 1 ? images : channels) /= 2;
  }
}

/// About how long a launch takes, in cycles: whole waves of blocks and one of those left.
[[nodiscard]] constexpr double cycles_of(weighing const& w, lattice_tile const& tile,
                                         device_facts const& device) noexcept
{
  lattice_layout const l = w.layout_of(tile);
  any_filter_slots const slots{l, w.piece};
  auto const warps  = static_cast<double>(slots.threads() / warp_size);
  auto const height = static_cast<double>(w.problem.filter.height);
  auto const width  = static_cast<double>(w.problem.filter.width);
  // Instructions of a warp: multiply-adds and what it takes to read for them, a lattice row's and
  // a tap's share; and of all threads: to stage an element, to store an output.
  double const runs = static_cast<double>(divide_up(static_cast<std::int64_t>(width), 8));
  // Warps whose lanes are in several places down the plane wait for those that skip no padding, and
  // meet in banks of shared memory.
  bool const mixed       = slots.down > 1 && slots.of_row % warp_size != 0;
  double const skipped   = mixed ? 0.15 * height / static_cast<double>(w.out.height) +
                                   0.01 * warp_size / static_cast<double>(slots.of_row)
                                 : 0;
  double const computing = (w.piece.rows * w.piece.columns * height * width +
                            (height + w.piece.rows - 1) * (25 + runs * (w.piece.columns + 32)) +
                            height * w.piece.rows * runs * 3) *
                             (1 + skipped) +
                           700;
  double const moving = static_cast<double>(l.input_size) / warp_size * (8.0 / l.vector + 1) +
                        static_cast<double>(l.result_size) / warp_size * 10;
  double const issued = warps * computing + moving;
  // Blocks side by side hide each other's waiting.
  std::int64_t const room = std::min<std::int64_t>(
    device.shared_bytes_per_sm / (l.size() * w.staged_bytes + 1024),
    any_filter_threads * any_filter_blocks / (std::int64_t{warp_size} * static_cast<int>(warps)));
  std::int64_t const side_by_side = std::max<std::int64_t>(room, 1);
  auto const wave                 = [&](std::int64_t blocks) {
    if (blocks == 0) { return 0.0; }
    auto const number = static_cast<double>(blocks);
    return number * issued / 4 * (1 + few_warps / (number * warps)) + waiting / number;
  };
  std::int64_t const at_once = side_by_side * device.multiprocessors;
  double const waves         = static_cast<double>(l.tiles) / static_cast<double>(at_once);
  double const in_step       = static_cast<double>(l.tiles / at_once) * wave(side_by_side) +
                         wave(divide_up(l.tiles % at_once, device.multiprocessors));
  // Blocks soon are out of step, and waves no longer whole.
  return waves < 1 ? in_step : (in_step + waves * wave(side_by_side)) / 2;
}

/// Output columns of a tile of many taps: all, or an even part that at most `lanes` threads take.
[[nodiscard]] constexpr int part_of_row(weighing const& w, std::int64_t lanes) noexcept
{
  lattice_tile const row{.columns = static_cast<int>(w.out.width)};
  lattice_axis const columns = w.layout_of(row).columns;
  std::int64_t const pieces  = columns.pieces(w.piece.columns);
  if (pieces <= lanes) { return row.columns; }
  std::int64_t const group = w.piece.columns * std::int64_t{columns.phases.divisor()};
  std::int64_t const whole = std::max<std::int64_t>(lanes / columns.lattices(), 1);
  std::int64_t const parts = divide_up(divide_up(w.out.width, group), whole);
  return static_cast<int>(
    std::min(divide_up(divide_up(w.out.width, group), parts) * group, w.out.width));
}

/// The quickest of tiles that differ in their rows.
struct quickest_tile {
  lattice_tile tile{.images = 0};
  double cycles = 0;

  constexpr void try_rows(weighing const& w, lattice_tile candidate,
                          device_facts const& device) noexcept
  {
    std::int64_t const group =
      w.piece.rows * std::int64_t{w.layout_of(candidate).rows.phases.divisor()};
    std::int64_t const groups = divide_up(w.out.height, group);
    for (std::int64_t g = std::min<std::int64_t>(groups, 16); g >= 1; --g) {
      if (divide_up(groups, divide_up(groups, g)) != g) { continue; }  // parts would not be even
      candidate.rows = static_cast<int>(std::min(g * group, w.out.height));
      if (!w.fits(candidate)) { continue; }
      double const taken = cycles_of(w, candidate, device);
      if (tile.images == 0 || taken < cycles) { cycles = taken, tile = candidate; }
    }
  }
};

/// A tile for many taps, which is bound by multiply-adds; without images where none fits. Planes
/// beside each other are of one channel, so that they share its filter, and as many as fill warps.
[[nodiscard]] constexpr quickest_tile choose_for_many_taps(weighing const& w, bool wide,
                                                           device_facts const& device) noexcept
{
  conv2d_problem const& p = w.problem;
  quickest_tile best;
  lattice_tile last{.images = 0};
  // Where most taps are in the padding, a warp of planes: its lanes skip the same columns of taps.
  std::int64_t const across =
    w.layout_of({.columns = static_cast<int>(w.out.width)}).columns.pieces(w.piece.columns);
  std::int64_t const whole = p.filter.width > w.out.width ? warp_size * across : warp_size;
  for (std::int64_t const lanes : {warp_size / 2, warp_size, 2 * warp_size, whole}) {
    lattice_tile tile{.columns = part_of_row(w, std::min(lanes, 2 * warp_size))};
    if (tile.columns < w.out.width) {
      // Where rows are cut, half a warp of wide pieces makes a tile about as high as it is wide.
      if (lanes != (wide ? warp_size / 2 : warp_size)) { continue; }
    } else {
      std::int64_t const planes = std::max<std::int64_t>(lanes / across, 1);
      std::int64_t const images = std::clamp<std::int64_t>(p.batch, 1, planes);
      std::int64_t channels     = std::clamp<std::int64_t>(planes / images, 1, p.output_channels());
      if (channels > p.multiplier) { channels -= channels % p.multiplier; }
      tile.images   = static_cast<int>(images);
      tile.channels = static_cast<int>(channels);
    }
    if (!(tile == last)) { best.try_rows(w, tile, device); }
    last = tile;
  }
  return best;
}

}  // namespace any_filter_tiles

/// Chooses a tile of the kernel for any filter, going by ranges and never by single sizes. The
/// problem's planes have extents of at most 2^24.
[[nodiscard]] constexpr any_filter_policy choose_any_filter_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace any_filter_tiles;
  extent2 const out = output_extent(p);
  auto const with   = [&](bool wide, std::int64_t most) {
    return weighing{p, out, any_filter_piece(p, element_bytes, wide),
                    any_filter_staged_bytes(element_bytes),
                    std::min<std::int64_t>(most, device.shared_bytes_per_block)};
  };
  auto const policy = [](weighing const& w, lattice_tile const& tile, bool wide) {
    return any_filter_policy{
      tile, static_cast<int>(std::min<std::int64_t>(w.threads_of(tile), any_filter_threads)), wide};
  };
  if (p.filter.height * p.filter.width >= many_taps) {
    weighing const square      = with(false, most_bytes);
    quickest_tile const chosen = choose_for_many_taps(square, false, device);
    if (out.width >= least_wide && any_filter_may_be_wide(p, element_bytes)) {
      weighing const wide       = with(true, most_bytes);
      quickest_tile const other = choose_for_many_taps(wide, true, device);
      bool const quicker        = other.cycles < chosen.cycles * wide_must_gain;
      if (other.tile.images > 0 && (chosen.tile.images == 0 || quicker)) {
        return policy(wide, other.tile, true);
      }
    }
    if (chosen.tile.images > 0) { return policy(square, chosen.tile, false); }
  }
  weighing const w = with(false, aimed_bytes);
  lattice_tile tile{};
  tile.columns = choose_columns(w);
  tile.rows    = choose_rows(w, tile, device);
  while (tile.columns > 1 && !w.fits(tile)) {
    tile.columns = (tile.columns + 1) / 2;
    tile.rows    = choose_rows(w, tile, device);
  }
  if (w.whole(tile)) { join_planes(w, tile, device); }
  return policy(w, tile, false);
}

}  // namespace dwconv
