// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/window/runtime_engine.cuh>
#include <dwconv/kernels/window/runtime_params.hpp>
#include <dwconv/kernels/window/runtime_retire.cuh>
#include <dwconv/staging/tile_areas.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel for filters known at run time only.
///
/// @tparam Size Number of a `runtime_window_size`.
template <element T, int Size, mover Mover = mover::newest>
struct runtime_window_config {
  using element_type = T;
  static constexpr runtime_window_size size =
    runtime_window_size_of(Size, static_cast<int>(sizeof(T)));
  static constexpr mover how              = Mover;
  static constexpr int columns_per_thread = size.columns;
  static constexpr int blocks             = size.blocks;
};

/// As `window_forward_kernel`, with filters in shared memory.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(
  runtime_window_threads,
  epilogue::blocks_beside<Epilogue>(Config::blocks, sizeof(typename Config::element_type) == 8))
  runtime_window_forward_kernel(runtime_window_params<typename Config::element_type> const p,
                                Epilogue const epilogue)
{
  using T             = typename Config::element_type;
  using engine        = runtime_window<Config>;
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;
  using load          = typename tile_movers<T, how>::load;
  using store         = typename tile_movers<T, how>::store;

  tile_geometry const& g = p.geometry;
  tile_frame const& f    = p.frame;
  auto const tile        = tile_position::of(g, f, static_cast<std::int32_t>(blockIdx.x));
  auto const source      = input_runs(p.x, g, f, tile);
  auto const target      = output_runs(p.y, g, f, tile);

  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  auto* const filters =
    reinterpret_cast<sum_of<T>*>(dynamic_shared_memory<unsigned char>() + p.filter_area);
  auto const areas = tile_areas<T>::of(g);

  load staging{barriers, source, {p.x, p.x_end}};
  auto const start = [&](int k) { areas.start(staging, tile, f, k); };
#pragma unroll 1
  for (int k = 0; k < tile_stages; ++k) { start(k); }
  // While the first chunks are on their way.
  stage_runtime_filters(p, tile, filters);

  auto const piece       = runtime_window_piece(p, tile, static_cast<int>(threadIdx.x));
  int const output_plane = tile.plane + piece.plane;
  int const input_plane  = f.plane_of_x.quotient(output_plane) - tile.input_plane;
  int const image        = p.output_channels.quotient(output_plane);
  int const channel      = output_plane - image * p.output_channels.divisor();
  int const row          = tile.row + piece.row;
  int const column       = tile.column + piece.column;
  int const input_column = column * f.stride_width - f.pad_left;
  plane_place const staged{source, g.whole_planes, input_plane, g.input_plane};
  plane_place const kept{target, g.whole_planes, piece.plane, g.output_plane};
  // What the loop over chunks needs of all this, kept in registers.
  int const steps                 = opaque(piece.rows > 0 ? piece.rows + p.live - 1 : 0);
  int const first_row             = opaque(piece.row);
  int const staged_from           = opaque(staged.offset() + input_column - tile.input_column);
  int const kept_from             = opaque(kept.offset() + piece.column);
  unsigned const staged_alignment = opaque(staged.alignment());
  unsigned const kept_alignment   = opaque(kept.alignment());

  engine window{p, filters + piece.plane * p.staged.plane_pitch, row * f.stride_height - f.pad_top,
                tile.bottom(f), input_column};
  runtime_window_retire<Config, Epilogue> retire{
    nullptr,
    g.output_pitch,
    piece.columns,
    p.row.phases,
    p.phases.divisor(),
    f.output_width,
    output_coordinate{
      image, channel, row, column,
      (static_cast<std::int64_t>(output_plane) * f.output_height + row) * f.output_width + column},
    epilogue};
  block_sync();  // filters are staged, and nobody waits on a barrier that is not set up

  // Where registers are few, what is the same for the whole block is worked out again in each
  // chunk, which is cheaper than to keep it beside the sums.
  constexpr bool again  = Config::blocks > 2 || Config::size.live == 1 || sizeof(T) != 4;
  auto const tile_again = [&] {
    if constexpr (again) {
      return tile_position::of(g, f, opaque(static_cast<std::int32_t>(blockIdx.x)));
    } else {
      return tile;
    }
  };
#pragma unroll 1
  for (int k = 0; k < g.chunks; ++k) {
    staging.wait(k);
    if (steps > 0) {
      tile_position const here = tile_again();
      tile_chunk const chunk   = here.chunk(g, f, k);
      // Of its rows, those that the chunk finishes begin with this one; it has the steps until one
      // that begins below the chunk.
      int const finished = first_row + max(window.step() - (p.live - 1), 0) * p.phases.divisor() -
                           (chunk.output_row - here.row);
      int const until = p.phases.quotient_up(max(chunk.end_step - first_row, 0));
      retire.kept     = areas.output_stage(k) + kept_from + finished * g.output_pitch +
                    kept.past(kept_alignment, chunk.output_row);
      window.walk(
        areas.input_stage(k) + staged_from + staged.past(staged_alignment, chunk.input_row),
        chunk.input_row, k + 1 < g.chunks ? min(until, steps) : steps, retire);
    }
    store::finish();
    block_sync();
    tile_position const here = tile_again();
    tile_chunk const chunk   = here.chunk(g, f, k);
    store::start(k, again ? output_runs(p.y, g, f, here) : target, chunk.output_row,
                 chunk.output_rows, areas.output_stage(k));
    if (!again) {
      start(k + tile_stages);
    } else if (k + tile_stages < g.chunks) {
      tile_chunk const next = here.chunk(g, f, k + tile_stages);
      load{barriers, input_runs(p.x, g, f, here), {p.x, p.x_end}, resumed{}}.start(
        k + tile_stages, next.input_row, next.input_rows, areas.input_stage(k + tile_stages));
    } else {
      staging.skip();
    }
  }
  store::drain();
}

DWCONV_ABI_NAMESPACE_END
