// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/window/engine.cuh>
#include <dwconv/kernels/window/params.hpp>
#include <dwconv/kernels/window/retire.cuh>
#include <dwconv/kernels/window/staged_filters.cuh>
#include <dwconv/problem/static_shape.hpp>
#include <dwconv/staging/tile_areas.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel.
template <element T, static_taps Taps, static_stride Stride, int Columns, int Rows = 0,
          mover Mover = mover::newest>
struct window_config {
  using element_type                      = T;
  static constexpr extent2 taps           = Taps::extent;
  static constexpr extent2 stride         = Stride::extent;
  static constexpr mover how              = Mover;
  static constexpr int columns_per_thread = Columns;
  static constexpr int rows_per_thread    = Rows;  ///< Zero for any number of them.
  /// Narrow pieces are for planes whose chunks are few or not alike, short filters wait for memory
  /// anyway.
  static constexpr bool together =
    sizeof(T) == 4 && Columns > 3 && Rows == 0 && Taps::extent.height > 3;
  static constexpr int blocks =
    window_blocks(Taps::extent, Stride::extent, {Columns, Rows}, sizeof(T));
};

/// A tile a block, in the order of memory, several blocks at a time on one multiprocessor. The tile
/// passes through shared memory a chunk of rows at a time: while one is computed the next is on its
/// way in and the one before on its way out; sums stay in registers from chunk to chunk.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(
  window_threads,
  epilogue::blocks_beside<Epilogue>(Config::blocks, sizeof(typename Config::element_type) == 8))
  window_forward_kernel(window_params<typename Config::element_type> const p,
                        Epilogue const epilogue)
{
  using T           = typename Config::element_type;
  using engine      = window_engine<Config>;
  using retire_type = window_retire<Config, Epilogue>;
  // What moves the tile is settled here, not on the host: one host program serves several
  // architectures.
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;
  // Whether chunks that are alike, and filters of many planes, are worth code of their own. From
  // sm_100 on it takes a few registers more than there are.
  constexpr bool together = how == mover::bulk && Config::together && architecture() < 100;
  using load              = typename tile_movers<T, how, together>::load;
  using store             = typename tile_movers<T, how, together>::store;

  tile_geometry const& g = p.geometry;
  tile_frame const& f    = p.frame;
  auto const tile        = tile_position::of(g, f, static_cast<std::int32_t>(blockIdx.x));
  auto const source      = input_runs(p.x, g, f, tile);
  auto const target      = output_runs(p.y, g, f, tile);

  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  auto const areas     = tile_areas<T>::of(g);

  load staging{barriers, source, {p.x, p.x_end}};
  auto const start = [&](int k) { areas.start(staging, tile, f, k); };
#pragma unroll 1
  for (int k = 0; k < tile_stages; ++k) { start(k); }

  auto const piece = window_piece::of(p, tile, static_cast<int>(threadIdx.x), engine::columns);
  int const output_plane = tile.plane + piece.plane;
  int const input_plane  = f.plane_of_x.quotient(output_plane) - tile.input_plane;
  int const image        = p.output_channels.quotient(output_plane);
  int const channel      = output_plane - image * p.output_channels.divisor();
  int const row          = tile.row + piece.row;
  int const column       = tile.column + piece.column;
  int const input_column = column * engine::stride_width - f.pad_left;
  plane_place const staged{source, g.whole_planes, input_plane, g.input_plane};
  plane_place const kept{target, g.whole_planes, piece.plane, g.output_plane};
  // What the loop over chunks needs of all this, kept in registers.
  int const steps       = opaque(piece.rows > 0 ? piece.rows + engine::live - 1 : 0);
  int const row_end     = opaque(tile.bottom(f));
  int const staged_from = opaque(staged.offset() + input_column - tile.input_column);
  int const kept_from   = opaque(kept.offset() + piece.row * g.output_pitch + piece.column);
  unsigned const staged_alignment = opaque(staged.alignment());
  unsigned const kept_alignment   = opaque(kept.alignment());
  int input_row                   = opaque(row * engine::stride_height - f.pad_top);

  engine window{};
  constexpr int taps    = engine::filter_height * engine::filter_width;
  T const* const filter = p.filter + static_cast<std::int64_t>(channel) * taps;
  if constexpr (together) {
    staged_filters<T> filters{p, tile, areas, barriers[tile_stages], taps};
    block_sync();  // nobody waits on a barrier that is not set up
    if (filters.there()) {
      window.read_filter(filters.wait() + piece.plane * taps, p.turned);
      block_sync();  // results take their place
    } else {
      window.load_filter(filter, p.turned);
    }
  } else {
    window.load_filter(filter, p.turned);
    block_sync();  // as above
  }
  window.place(input_column, f.input_width);
  retire_type retire{nullptr,
                     g.output_pitch,
                     retire_type::columns_wanted(max(piece.columns, 0)),
                     output_coordinate{image, channel, row - engine::ramp, column,
                                       (static_cast<std::int64_t>(output_plane) * f.output_height +
                                        row - engine::ramp) *
                                           f.output_width +
                                         column},
                     f.output_width,
                     1,
                     epilogue};

  // Between a first and a last few, chunks differ in nothing but their place.
  paced_runs<T const> coming;
  paced_runs<T> going;
  int even_begin = 0, even_end = 0, even_staged = 0, even_kept = 0;
  if constexpr (together) {
    if (g.chunks > 2 * tile_stages) {
      full_chunks const full = tile.full(g, f);
      int const begin        = max(full.input_begin, tile_stages);
      int const rows_of_x    = g.tile.steps * engine::stride_height;
      int const first_kept   = tile.row + full.output_begin * g.tile.steps - (engine::live - 1);
      coming = staging.pace(tile.top(f) + begin * rows_of_x, rows_of_x, begin, full.input_end);
      going  = store::pace(target, first_kept, g.tile.steps, full.output_begin, full.output_end);
      even_begin = max(full.input_begin, full.output_begin);
      even_end   = min(full.input_end, full.output_end);
      even_staged =
        staged_from + staged.past(staged_alignment, tile.top(f) + even_begin * rows_of_x);
      even_kept = kept_from + kept.past(kept_alignment, first_kept);
    }
  }

#pragma unroll 1
  for (int k = 0; k < g.chunks; ++k) {
    staging.wait(k);
    if (steps > 0) {
      T const* at = areas.input_stage(k);
      int until   = (k + 1) * g.tile.steps;
      if (together && k >= even_begin && k < even_end) {
        at += even_staged;
        retire.kept = areas.output_stage(k) + even_kept;
      } else {
        tile_chunk const chunk = tile.chunk(g, f, k);
        int const pending      = max(engine::ramp - chunk.first_step, 0);  // rows not finished yet
        retire.kept            = areas.output_stage(k) + kept_from +
                      kept.past(kept_alignment, chunk.output_row) - pending * g.output_pitch;
        at += staged_from + staged.past(staged_alignment, chunk.input_row) +
              (max(input_row, 0) - chunk.input_row) * g.input_pitch;
        until = min(chunk.end_step, steps);
      }
      window.walk(at, g.input_pitch, input_row, row_end, until, retire);
      input_row += g.tile.steps * engine::stride_height;
    }
    store::finish();
    block_sync();
    bool leaves = false, comes = false;
    if constexpr (together) {
      leaves = going.has(k);
      if (leaves) { store::start(k, target, going, areas.output_stage(k)); }
    }
    if (!leaves) {
      tile_chunk const chunk = tile.chunk(g, f, k);
      store::start(k, target, chunk.output_row, chunk.output_rows, areas.output_stage(k));
    }
    if constexpr (together) {
      comes = coming.has(k + tile_stages);
      if (comes) { staging.start(k + tile_stages, coming, areas.input_stage(k)); }
    }
    if (!comes) { start(k + tile_stages); }
  }
  store::drain();
}

DWCONV_ABI_NAMESPACE_END
