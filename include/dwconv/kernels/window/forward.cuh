// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/kernels/window/engine.cuh>
#include <dwconv/kernels/window/params.hpp>
#include <dwconv/problem/static_shape.hpp>
#include <dwconv/staging/tile_load.cuh>
#include <dwconv/staging/tile_store.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled window kernel.
template <element T, static_taps Taps, static_stride Stride, mover Mover = mover::newest>
struct window_config {
  using element_type                      = T;
  static constexpr extent2 taps           = Taps::extent;
  static constexpr extent2 stride         = Stride::extent;
  static constexpr mover how              = Mover;
  static constexpr int columns_per_thread = window_columns(Taps::extent.height, sizeof(T));
  static constexpr int blocks             = window_blocks(Taps::extent.height, sizeof(T));
};

/// Gives one finished row of a piece to the epilogue and keeps the results for the store.
template <typename Config, typename Epilogue>
struct window_retire {
  using T = typename Config::element_type;

  T* kept;
  int pitch;
  int columns;
  output_coordinate at;
  int width;
  Epilogue const& epilogue;

  __device__ void operator()(sum_of<T> const (&sums)[Config::columns_per_thread])
  {
#pragma unroll
    for (int v = 0; v < Config::columns_per_thread; ++v) {
      if (v < columns) {
        output_coordinate const here{at.batch, at.channel, at.row, at.column + v, at.offset + v};
        kept[v] = from_sum<T>(epilogue(sums[v], here));
      }
    }
    kept += pitch;
    ++at.row;
    at.offset += width;
  }
};

/// A tile a block: staged whole, computed from registers, stored whole. Blocks take tiles in the
/// order of memory, several at a time on one multiprocessor: while one waits for its tile another
/// computes.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(window_threads, Config::blocks)
  window_forward_kernel(window_params<typename Config::element_type> const p,
                        Epilogue const epilogue)
{
  using T      = typename Config::element_type;
  using engine = window_engine<Config>;
  // What moves the tile is settled here, not on the host: one host program serves several
  // architectures.
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;
  using load          = std::conditional_t<how == mover::bulk, bulk_tile_load<T>,
                                  shared_out_tile_load<T, how == mover::async>>;

  auto* const barrier  = dynamic_shared_memory<transaction_barrier>();
  T* const input_area  = dynamic_shared_memory<T>() + 128 / sizeof(T);
  T* const output_area = input_area + p.geometry.input_size;

  auto const tile = tile_position::of(p.geometry, p.frame, static_cast<std::int32_t>(blockIdx.x));
  tile_source<T> const source{p.x, p.geometry, p.frame, tile};
  tile_target<T> const target{p.y, p.geometry, p.frame, tile};
  T* const staged = source.staged(input_area, p.geometry);

  load staging{*barrier};
  staging.start(source, staged);
  bool landed = false;
  for (int index = static_cast<int>(threadIdx.x); index - static_cast<int>(threadIdx.x) < p.pieces;
       index += static_cast<int>(blockDim.x)) {
    auto const piece       = window_piece::of(p, tile, index, engine::columns);
    int const input_plane  = p.multiplier.quotient(piece.plane);
    int const output_plane = static_cast<int>(tile.plane) * p.frame.multiplier + piece.plane;
    int const image        = p.output_channels.quotient(output_plane);
    int const channel      = output_plane - image * p.output_channels.divisor();
    int const input_row    = (tile.row + piece.row) * engine::stride_height - p.frame.pad_top;
    int const input_column = (tile.column + piece.column) * engine::stride_width - p.frame.pad_left;

    // The filter is on its way while the tile lands.
    std::int64_t const filter_size = engine::filter_height * engine::filter_width;
    engine window{p.filter + (piece.rows > 0 ? channel : 0) * filter_size, input_column,
                  p.frame.input_width};
    if (!landed) { staging.wait(); }
    landed = true;
    if (piece.rows <= 0) { continue; }

    int const row    = tile.row + piece.row;
    int const column = tile.column + piece.column;
    std::int64_t const offset =
      (static_cast<std::int64_t>(output_plane) * p.frame.output_height + row) *
        p.frame.output_width +
      column;
    window_retire<Config, Epilogue> retire{
      target.kept(output_area, piece.plane) + piece.row * p.geometry.output_pitch + piece.column,
      p.geometry.output_pitch,
      piece.columns,
      output_coordinate{image, channel, row, column, offset},
      p.frame.output_width,
      epilogue};
    window.walk(staged + input_plane * p.geometry.input_plane +
                  (input_row - tile.input_row) * p.geometry.input_pitch +
                  (input_column - tile.input_column),
                p.geometry.input_pitch, input_row, p.frame.input_height, piece.rows, retire);
  }
  if constexpr (how == mover::bulk) { fence_before_bulk(); }
  block_sync();
  if constexpr (how == mover::bulk) {
    bulk_tile_store(target, output_area);
  } else {
    vector_tile_store(target, output_area);
  }
}

DWCONV_ABI_NAMESPACE_END
