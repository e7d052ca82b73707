// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/window/engine.cuh>
#include <dwconv/kernels/window/spread_engine.cuh>
#include <dwconv/kernels/window/spread_retire.cuh>
#include <dwconv/problem/static_shape.hpp>
#include <dwconv/staging/tile_areas.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled kernel that spreads dy over dx.
///
/// @tparam Multiplied Each plane of dx sums over several of dy.
template <element T, static_taps Taps, static_stride Stride, bool Multiplied,
          mover Mover = mover::newest>
struct spread_config {
  using element_type               = T;
  static constexpr extent2 taps    = Taps::extent;
  static constexpr extent2 stride  = Stride::extent;
  static constexpr mover how       = Mover;
  static constexpr bool multiplied = Multiplied;
  static constexpr int groups_per_thread =
    spread_piece(Taps::extent, Stride::extent, static_cast<int>(sizeof(T)));
  static constexpr int columns_per_thread =
    groups_per_thread * static_cast<int>(Stride::extent.width);
  static_assert(sizeof(T) != 2 || columns_per_thread % 2 == 0, "halves are stored two at a time");
  static constexpr int filter_pitch =
    spread_filter_pitch(Taps::extent, static_cast<int>(sizeof(sum_of<T>)));
  static constexpr int blocks =
    spread_blocks(Taps::extent, Stride::extent, groups_per_thread, sizeof(T));
};

/// Which of `columns` columns from `first` on lie in [0, width), the first lowest.
template <int Columns>
[[nodiscard]] __device__ unsigned columns_inside(int first, int width)
{
  static_assert(Columns < 32);
  int const begin = min(max(-first, 0), Columns);
  int const end   = min(max(width - first, 0), Columns);
  return ((1u << end) - 1u) & ~((1u << begin) - 1u);
}

/// A tile of dx a block, staged and stored as `window_forward_kernel` does.
template <typename Config>
__global__ void __launch_bounds__(spread_threads, Config::blocks)
  window_backward_data_kernel(spread_params<typename Config::element_type> const p)
{
  using T             = typename Config::element_type;
  using engine        = spread_window<Config>;
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;
  using load          = typename tile_movers<T, how>::load;
  using store         = typename tile_movers<T, how>::store;

  tile_geometry const& g = p.geometry;
  tile_frame const& f    = p.frame;
  auto const tile        = tile_position::of(g, f, static_cast<std::int32_t>(blockIdx.x));
  auto const dy_plane    = static_cast<std::int64_t>(f.input_height) * f.input_width;
  auto const dx_plane    = static_cast<std::int64_t>(p.height) * f.output_width;
  auto const source      = staging::runs_of<T const>(
    p.dy + tile.plane * f.multiplier * dy_plane, dy_plane, tile.planes * f.multiplier,
    f.input_width, f.input_width, g.whole_planes, true, g.input_plane, g.input_pitch);
  auto const target =
    staging::runs_of<T>(p.dx + tile.plane * dx_plane, dx_plane, tile.planes, f.output_width,
                        f.output_width, g.whole_planes, true, g.output_plane, g.output_pitch);

  auto* const barriers = dynamic_shared_memory<transaction_barrier>();
  auto const areas     = tile_areas<T>::of(g);

  load staging{barriers, source, {p.dy, p.dy_end}};
  auto const start = [&](int k) { areas.start(staging, tile, f, k); };
#pragma unroll 1
  for (int k = 0; k < tile_stages; ++k) { start(k); }

  tile_position groups = tile;
  groups.columns       = p.groups;
  auto const piece =
    window_piece::of(p, groups, static_cast<int>(threadIdx.x), Config::groups_per_thread);
  int const plane   = tile.plane + piece.plane;
  int const channel = plane - p.channels.quotient(plane) * p.channels.divisor();
  int const left    = piece.column * engine::stride_width - p.pad_left;  // column of dx
  int const from    = piece.column - engine::ramp_across;                // and of dy
  plane_place const staged{source, g.whole_planes, piece.plane * f.multiplier, g.input_plane};
  plane_place const kept{target, g.whole_planes, piece.plane, g.output_plane};
  int const steps = opaque(piece.rows > 0 ? piece.rows + engine::ramp : 0);
  int const row   = tile.row + piece.row - engine::ramp;  // of dy

  auto* const filters =
    reinterpret_cast<typename engine::sum*>(areas.output + g.stages * g.output_size);
  if constexpr (Config::multiplied) {
    stage_spread_filters<Config>(p, tile.plane, tile.planes, filters);
  }
  engine window{p.filter + static_cast<std::int64_t>(channel) * f.multiplier *
                             (engine::filter_height * engine::filter_width),
                filters + piece.plane * f.multiplier * Config::filter_pitch, f.multiplier, from,
                f.input_width};
  unsigned const wanted = columns_inside<engine::columns>(left, f.output_width);
  block_sync();  // filters are staged, and nobody waits on a barrier that is not set up

#pragma unroll 1
  for (int k = 0; k < g.chunks; ++k) {
    tile_chunk const chunk = tile.chunk(g, f, k);
    // Rows of dx, of which the first and the last group may lack some.
    auto const row_of = [&](int group) {
      return min(max(group * engine::stride_height - p.pad_top, 0), p.height);
    };
    int const output_row  = row_of(chunk.output_row);
    int const output_rows = row_of(chunk.output_row + chunk.output_rows) - output_row;
    staging.wait(k);
    if (steps > 0) {
      int const taken = row + window.step();
      int const first = taken * engine::stride_height - p.pad_top;
      T* const keep   = areas.output_stage(k) + kept.offset() +
                      kept.past(kept.alignment(), output_row) +
                      (first - output_row) * g.output_pitch + left;
      auto const walk = [&]<spread_words Words>(spread_retire<Config, Words> retire) {
        window.walk(areas.input_stage(k) + staged.offset() +
                      staged.past(staged.alignment(), chunk.input_row) +
                      (max(taken, 0) - chunk.input_row) * g.input_pitch + from,
                    g.input_pitch,
                    {g.input_plane,
                     staged.alignment() + static_cast<unsigned>(chunk.input_row) *
                                            static_cast<unsigned>(f.input_width),
                     g.whole_planes ? 0u : static_cast<unsigned>(dy_plane)},
                    taken, tile.bottom(f), min(chunk.end_step, steps), first, p.height, retire);
      };
      using words = spread_words;
      if (sizeof(T) != 2 || p.words == words::none) {
        walk(spread_retire<Config, words::none>{keep, g.output_pitch, wanted});
      } else if constexpr (sizeof(T) == 2) {
        if (p.words == words::from_first) {
          walk(spread_retire<Config, words::from_first>{keep, g.output_pitch, wanted});
        } else {
          walk(spread_retire<Config, words::from_second>{keep, g.output_pitch, wanted});
        }
      }
    }
    store::finish();
    block_sync();
    store::start(k, target, output_row, output_rows, areas.output_stage(k));
    start(k + tile_stages);
  }
  store::drain();
}

DWCONV_ABI_NAMESPACE_END
