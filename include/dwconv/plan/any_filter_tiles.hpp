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
inline constexpr int warp_size            = 32;
/// Filters of so many taps are bound by multiply-adds, and their planes take turns by channel.
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
  [[nodiscard]] constexpr std::int64_t pieces_of(lattice_tile const& tile) const noexcept
  {
    lattice_layout const l = layout_of(tile);
    return std::int64_t{l.rows.pieces(piece.rows)} * l.columns.pieces(piece.columns) * tile.images *
           tile.channels;
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
    if (pieces > any_filter_threads || here.size() * w.staged_bytes > w.most_bytes) { break; }
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
    if (w.bytes_of(tile) <= w.most_bytes && w.pieces_of(tile) <= any_filter_threads) { break; }
  }
  return tile.rows;
}

/// Joins whole planes: those of one channel where filters are large, so that they share it, and
/// where padding is skipped so that a warp's threads skip the same; else planes beside each other
/// in memory.
constexpr void join_planes(weighing const& w, lattice_tile& tile,
                           device_facts const& device) noexcept
{
  conv2d_problem const& p   = w.problem;
  lattice_layout const l    = w.layout_of(tile);
  std::int64_t const across = l.columns.pieces(w.piece.columns);
  std::int64_t const pieces = l.rows.pieces(w.piece.rows) * across;
  std::int64_t const taps   = p.filter.height * p.filter.width;
  bool const by_channel     = taps >= many_taps;
  std::int64_t const most =
    std::max<std::int64_t>((by_channel ? any_filter_threads : aimed_threads) / pieces, 1);
  std::int64_t const warp_full = divide_up(warp_size, across);
  std::int64_t const planes    = std::min(most, by_channel ? warp_full : most);
  auto const images_at_most    = [&](std::int64_t n) {
    return std::clamp<std::int64_t>(n, 1, std::max<std::int64_t>(p.batch, 1));
  };
  auto const channels_at_most = [&](std::int64_t n) {
    return std::clamp<std::int64_t>(n, 1, p.output_channels());
  };

  std::int64_t images = 1, channels = 1;
  if (by_channel) {
    images   = images_at_most(planes);
    channels = channels_at_most(planes / images);
  } else {
    channels = channels_at_most(planes);
    images   = images_at_most(planes / channels);
  }
  std::int64_t const wanted = 2 * std::int64_t{device.multiprocessors};
  for (;;) {
    if (channels > p.multiplier) { channels -= channels % p.multiplier; }
    tile.images   = static_cast<int>(images);
    tile.channels = static_cast<int>(channels);
    if (images * channels == 1) { return; }
    bool const enough = w.layout_of(tile).tiles >= wanted || p.batch * p.output_channels() < wanted;
    if (enough && w.bytes_of(tile) <= w.most_bytes) { return; }
    (images > 1 && (!by_channel || channels == 1) ? images : channels) /= 2;
    images   = std::max<std::int64_t>(images, 1);
    channels = std::max<std::int64_t>(channels, 1);
  }
}

}  // namespace any_filter_tiles

/// Chooses a tile of the kernel for any filter, going by ranges and never by single sizes. The
/// problem's planes have extents of at most 2^24.
[[nodiscard]] constexpr any_filter_policy choose_any_filter_policy(
  conv2d_problem const& p, int element_bytes, device_facts const& device) noexcept
{
  using namespace any_filter_tiles;
  weighing const w{p, output_extent(p), any_filter_piece(p, element_bytes),
                   any_filter_staged_bytes(element_bytes),
                   std::min<std::int64_t>(aimed_bytes, device.shared_bytes_per_block)};
  lattice_tile tile{};
  tile.columns = choose_columns(w);
  tile.rows    = choose_rows(w, tile, device);
  while (tile.columns > 1 &&
         (w.bytes_of(tile) > w.most_bytes || w.pieces_of(tile) > any_filter_threads)) {
    tile.columns = (tile.columns + 1) / 2;
    tile.rows    = choose_rows(w, tile, device);
  }
  if (w.whole(tile)) { join_planes(w, tile, device); }
  std::int64_t const warps = divide_up(w.pieces_of(tile), warp_size);
  return {tile, static_cast<int>(std::min<std::int64_t>(warps * warp_size, any_filter_threads))};
}

}  // namespace dwconv
