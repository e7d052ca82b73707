// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/any_filter/engine.cuh>
#include <dwconv/kernels/any_filter/stage.cuh>
#include <dwconv/kernels/any_filter/store.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// A compiled kernel of one element type.
template <element T, bool Wide = false>
struct any_filter_config {
  using element_type           = T;
  using sum                    = sum_of<T>;
  using params                 = any_filter_params<T>;
  static constexpr int rows    = any_filter_sums(static_cast<int>(sizeof(T)), Wide).rows;
  static constexpr int columns = any_filter_sums(static_cast<int>(sizeof(T)), Wide).columns;
  using engine                 = any_filter_engine<sum, rows, columns, !Wide>;
};

/// Sums of one thread's outputs, over what the block has staged.
template <typename Config>
__device__ void any_filter_sums(typename Config::params const& p, any_filter_tile const& t,
                                any_filter_piece_place const& at, typename Config::sum const* area,
                                typename Config::engine& engine)
{
  auto const down   = any_filter_taps::of(p.rows, t.down, at.row, at.rows);
  auto const across = any_filter_taps::of(p.columns, t.across, at.column, 1);

  int const channel = p.multiplier.quotient(t.channel + at.channel) - t.input_channel;
  int const plane   = at.image * p.input_channels + channel;
  int const line    = at.row * p.rows.step - t.down.first;
  engine.x          = area + plane * p.plane_pitch + line * p.row_pitch +
             across.lattice * p.phase_pitch.divisor() + across.element + t.lead;
  engine.x_step      = p.rows.phases.divisor() * p.row_pitch;
  engine.filter      = area + p.input_size + at.channel * p.filter_pitch;
  engine.height      = p.rows.taps;
  engine.row_step    = p.rows.step;
  engine.column_step = p.columns.step;
  if (at.rows > 0 && t.across.end > t.across.first && down.first < down.end) {
    int const to_the_left = (p.piece.columns - 1) * p.columns.step;
    engine.rows           = {down.first, down.end};
    engine.taps           = {max(across.first - to_the_left, 0), min(across.end, p.columns.taps)};
    if (engine.taps.first >= engine.taps.end) { engine.rows = {}; }
  }
  if (p.folded) {
    // Row u of sums is run number u of the one row, and the filter's one row is all its taps.
    engine.x_step   = Config::columns * p.columns.step;
    engine.row_step = 1;
    if (engine.rows.first < engine.rows.end) {
      engine.rows.end = (at.columns + Config::columns - 1) / Config::columns;
    }
  }
  engine.walk();
}

/// Leaves a thread's sums in shared memory, in the order of y.
template <typename Config>
__device__ void any_filter_keep(typename Config::params const& p, any_filter_piece_place const& at,
                                typename Config::engine const& engine, typename Config::sum* area)
{
  int const plane = at.image * p.tile.channels + at.channel;
  auto* row       = area + (plane * p.tile.rows + at.row) * p.tile.columns + at.column;
  int const step  = p.columns.phases.divisor();
  int const jump  = p.folded ? Config::columns * step : p.rows.phases.divisor() * p.tile.columns;
  int const rows  = p.folded ? Config::rows : at.rows;
#pragma unroll
  for (int i = 0; i < Config::rows; ++i) {
    int const columns = p.folded ? at.columns - i * Config::columns : at.columns;
    if (i < rows) {
#pragma unroll
      for (int v = 0; v < Config::columns; ++v) {
        if (v < columns) { row[v * step] = engine.sums[i][v]; }
      }
      row += jump;
    }
  }
}

/// A tile a block: staged, computed in registers, one piece a thread, stored by way of shared
/// memory. Blocks are small and several share a multiprocessor: while one waits for memory another
/// computes.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(any_filter_threads, any_filter_blocks)
  any_filter_forward_kernel(typename Config::params const p, Epilogue const epilogue)
{
  auto* const area = dynamic_shared_memory<typename Config::sum>();
  auto const tile  = any_filter_tile::of(p, static_cast<int>(blockIdx.x));

  using stage = any_filter_stage<typename Config::element_type>;
  stage::filters(p, tile, area + p.input_size);
  stage::input(p, tile, area);
  stage::arrive();
  block_sync();

  auto const at = any_filter_piece_place::of(p, tile, static_cast<int>(threadIdx.x));
  typename Config::engine engine;
  engine.clear();
  any_filter_sums<Config>(p, tile, at, area, engine);
  block_sync();  // results take the place of what was staged
  if (at.rows > 0) { any_filter_keep<Config>(p, at, engine, area); }
  block_sync();
  any_filter_store<Config, Epilogue>{p, tile, area, epilogue}.all();
}

DWCONV_ABI_NAMESPACE_END
