// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/toeplitz/engine.cuh>
#include <dwconv/kernels/toeplitz/retire.cuh>
#include <dwconv/kernels/toeplitz/runs.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled toeplitz kernel.
///
/// @tparam FilterHeight Rows of the filter, held in registers; 0 for any, read from shared memory.
/// @tparam Stride       Along both axes, or 0 for any.
/// @tparam Chunks       Matrix products along a filter row, as `toeplitz_chunks` says.
template <half_element T, int FilterHeight, int Stride, int Chunks, mover Mover = mover::newest,
          int Rows = toeplitz_rows>
struct toeplitz_config {
  using element_type          = T;
  static constexpr int chunks = Chunks;
  static constexpr int rows   = Rows;
  static constexpr mover how  = Mover;
  using engine =
    std::conditional_t<FilterHeight != 0, held_filter_engine<T, FilterHeight, Stride, Chunks, Rows>,
                       std::conditional_t<Stride == 1, sliding_filter_engine<T, Chunks, Rows>,
                                          read_filter_engine<T, Chunks, Rows>>>;
  /// Blocks of the most threads that shall share a multiprocessor: what caps a thread's registers.
  static constexpr int blocks = FilterHeight != 0 ? 3 : Chunks <= 3 ? 2 : 1;
};

/// What the warps of a block share.
template <typename T>
struct toeplitz_tile_view {
  toeplitz_params<T> const& p;
  toeplitz_position const& tile;
  T const* input_area;
  T const* staged;  ///< The tile's first element.
  T* kept;          ///< Where the tile's first result is kept.
  T const* filters;
};

/// Matrix product `index` of a tile: 16 slots of one output channel, by one warp.
template <typename Config, bool Realign, typename T, typename Epilogue>
__device__ void toeplitz_item(toeplitz_tile_view<T> const& view, int index,
                              Epilogue const& epilogue)
{
  auto const& [p, tile, input_area, staged, kept, filters] = view;
  auto const& g                                            = p.layout;
  auto const& f                                            = p.frame;
  auto const& n                                            = p.grid;
  int const out   = n.matrices.quotient(index);  // of the tile's output channels
  int const group = index - out * n.matrices.divisor();
  int const input = n.multiplier.quotient(out);
  if (input >= tile.channels) { return; }

  toeplitz_windows<T, Config::chunks, Realign> windows;
  toeplitz_retire<T, Epilogue> retire{
    {}, kept + out * g.kept_plane, g.kept_row, f.output_width, p.pairs, epilogue};
  int const first_slot = group * toeplitz_slots;
#pragma unroll
  for (int s = 0; s < 2; ++s) {
    auto const slot =
      toeplitz_slot::of(n, tile, first_slot + lane_index() / 4 + 8 * s, Config::rows);
    windows.place(s, input_area, staged + slot.image * g.image_pitch + input * g.plane_pitch, g,
                  tile, f, slot, p.lead);
    int const across  = slot.column + 2 * (lane_index() % 4);
    int const image   = tile.image + slot.image;
    int const channel = tile.channel * f.multiplier + out;
    int const row     = tile.row + slot.row;
    int const column  = tile.column + across;
    std::int64_t const plane =
      static_cast<std::int64_t>(image) * n.channels * f.multiplier + channel;
    std::int64_t const offset = (plane * f.output_height + row) * f.output_width + column;
    retire.slot[s]            = {{image, channel, row, column, offset},
                                 slot.image * g.kept_image + slot.row * g.kept_row + across,
                                 slot.rows,
                                 tile.columns - across};
  }

  // Slots are numbered down the plane, so the first and the last are the highest and the lowest.
  int const last_slot  = min(first_slot + toeplitz_slots, n.slots) - 1;
  auto const first_row = [&](int slot) {
    int const run = n.images.quotient(n.blocks.quotient(slot));
    return (tile.row + run * Config::rows) * f.stride_height - f.pad_top - tile.input_row;
  };
  int const rows_met = (Config::rows - 1) * f.stride_height + f.filter_height;
  toeplitz_span const span{max(0, -first_row(last_slot)),
                           min(rows_met, tile.input_rows - first_row(first_slot))};
  toeplitz_band<T> const band{filters + out * f.filter_height * 4 * g.filter.pitch, g.filter,
                              f.stride_width, p.lead};
  Config::engine::walk(windows, band, f.filter_height, f.stride_height, span, retire);
}

/// A tile a block: staged whole, multiplied by the banded matrices of its filters, stored whole.
/// Blocks take tiles in the order of memory, several at a time on one multiprocessor: while one
/// waits for its tile another computes.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(toeplitz_threads, Config::blocks)
  toeplitz_forward_kernel(toeplitz_params<typename Config::element_type> const p,
                          Epilogue const epilogue)
{
  using T = typename Config::element_type;
  // What moves the tile is settled here, not on the host: one host program serves several
  // architectures.
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;

  auto* const barrier = dynamic_shared_memory<transaction_barrier>();
  T* const input_area = dynamic_shared_memory<T>() + 128 / sizeof(T);
  T* const kept_area  = input_area + p.layout.input_size;
  T* const filters    = kept_area + p.layout.output_size;

  auto const tile =
    toeplitz_position::of(p.layout, p.grid, p.frame, static_cast<std::int32_t>(blockIdx.x));
  auto const& f = p.frame;
  std::int64_t const input_plane =
    static_cast<std::int64_t>(tile.image) * p.grid.channels + tile.channel;
  std::int64_t const output_plane = input_plane * f.multiplier;
  std::int64_t const planes       = static_cast<std::int64_t>(p.grid.batch) * p.grid.channels;
  T const* const x =
    p.x + ((input_plane * f.input_height + tile.input_row) * f.input_width + tile.input_column);
  T* const y = p.y + ((output_plane * f.output_height + tile.row) * f.output_width + tile.column);
  T* const staged = input_area + p.layout.slack + past_boundary(x);
  T* const kept   = kept_area + past_boundary(y);

  toeplitz_load<T, how> load{*barrier, p.x, p.x + planes * f.input_height * f.input_width};
  load.start(toeplitz_input_runs(p.layout, p.grid, f, tile), x, staged);
  // The filters are extended while the tile lands.
  std::int64_t const filter_size = static_cast<std::int64_t>(f.filter_height) * f.filter_width;
  extend_filter_rows(filters, p.filter + tile.channel * f.multiplier * filter_size,
                     tile.channels * f.multiplier * f.filter_height, f.filter_width,
                     p.layout.filter);
  load.settle();
  block_sync();
  load.wait();

  toeplitz_tile_view<T> const view{p, tile, input_area, staged, kept, filters};
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
  for (int index = warp_index(); index < p.grid.items; index += warps) {
    if (p.realign) {
      toeplitz_item<Config, true>(view, index, epilogue);
    } else {
      toeplitz_item<Config, false>(view, index, epilogue);
    }
  }
  if constexpr (how == mover::bulk) { fence_before_bulk(); }
  block_sync();
  toeplitz_store<how>(toeplitz_output_runs(p.layout, p.grid, f, tile), y, kept);
}

DWCONV_ABI_NAMESPACE_END
