// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/toeplitz/engine.cuh>
#include <dwconv/kernels/toeplitz/retire.cuh>
#include <dwconv/kernels/toeplitz/runs.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled toeplitz kernel.
///
/// @tparam FilterHeight Rows of the filter, held in registers; 0 for any, read from shared memory.
/// @tparam Stride       Along both axes, or 0 for any.
/// @tparam Chunks       Matrix products along a filter row, as `toeplitz_chunks` says.
/// @tparam Begin        Where rows of x and y begin.
/// @tparam Kept         Whether results are gathered in shared memory.
template <half_element T, int FilterHeight, int Stride, int Chunks, toeplitz_rows_begin Begin,
          mover Mover = mover::newest, bool Kept = true>
struct toeplitz_config {
  using element_type                 = T;
  static constexpr int filter_height = FilterHeight;
  static constexpr bool even         = Begin == toeplitz_rows_begin::even;
  static constexpr bool kept         = Kept;
  /// Whether walks may go along a plane's only row.
  static constexpr bool one_row = FilterHeight == 1;
  static constexpr mover how    = Mover;
  using engine                  = std::conditional_t<
    FilterHeight != 0, held_filter_engine<T, FilterHeight, Stride, Chunks, Begin>,
    std::conditional_t<Stride == 1, sliding_filter_engine<T, Chunks, toeplitz_sums, Begin>,
                       read_filter_engine<T, Chunks, toeplitz_sums, Begin>>>;
  /// Where a multiprocessor has 100 KiB of shared memory, three tiles fill it.
  static constexpr bool little_shared = architecture() % 10 >= 6 || architecture() >= 120;
  /// For older ones, and for their ways to move a tile, the compiler needs more registers.
  static constexpr bool spills = architecture() < 90 || Mover != mover::newest;
  static constexpr int planned = toeplitz_blocks(FilterHeight, Stride, Chunks, Begin);
  static constexpr int blocks =
    std::min(planned, little_shared || (spills && planned == 4) ? 3 : 16);
};

/// What the warps of a block share.
template <typename T>
struct toeplitz_tile_view {
  toeplitz_params<T> const& p;
  toeplitz_position const& tile;
  T* staged;         ///< The tile's first element.
  T* kept;           ///< Where the tile's first result is kept, if it is.
  T const* filters;  ///< Extended filter rows.
};

/// Which 16 slots of which output channel of a tile a warp computes at a time.
struct toeplitz_item {
  int channel;  ///< Of the tile's output channels.
  int input;    ///< Of its input channels.
  int slot;     ///< First one.

  [[nodiscard]] static __device__ toeplitz_item of(toeplitz_grid const& n, int index)
  {
    toeplitz_item item{};
    item.channel = n.matrices.quotient(index);
    item.input   = n.multiplier.quotient(item.channel);
    item.slot    = (index - item.channel * n.matrices.divisor()) * toeplitz_slots;
    return item;
  }
};

/// Where an item's windows would begin at odd addresses. The same for all its slots: they are an
/// even number of elements apart, for walks have an even number of rows where rows have odd
/// lengths, and so have images in memory where several share a tile.
template <bool Along, bool Dilates, typename T>
[[nodiscard]] __device__ toeplitz_early toeplitz_early_of(toeplitz_tile_view<T> const& view,
                                                          toeplitz_item const& item)
{
  auto const& f      = view.p.frame;
  auto const& tile   = view.tile;
  auto const address = reinterpret_cast<std::uintptr_t>(view.staged);
  auto const begin   = static_cast<int>(address / sizeof(T) % 2);
  int const phase    = Dilates && toeplitz_slot::of_second_class(view.p.grid, item.slot) ? 1 : 0;
  int const row      = tile.row * f.stride_height - f.pad_top - tile.input_row + phase;
  int const column   = tile.column * f.stride_width - f.pad_left - view.p.lead - tile.input_column;
  int const pitch    = Along ? toeplitz_stretch : view.p.layout.row_pitch;
  int const first    = begin + item.input * view.p.layout.plane_pitch + row * pitch + column;
  int const step     = Dilates && !Along ? view.p.grid.step.divisor() : 1;
  return {{first & 1, (first + pitch * step) & 1}};
}

/// Begins to read the filter of an item into registers.
template <typename Config, typename T>
__device__ void toeplitz_fetch_filter(typename Config::engine::filter::raw& taps,
                                      toeplitz_tile_view<T> const& view, toeplitz_item const& item)
{
  auto const& p = view.p;
  std::int64_t const channel =
    static_cast<std::int64_t>(view.tile.channel) * p.frame.multiplier + item.channel;
  Config::engine::filter::fetch(taps, p.filter + channel * (Config::filter_height * p.taps), p.taps,
                                p.apart, p.frame.stride_width, p.lead, p.turned);
}

/// Writes zeros beside a plane's only row. What copies brought along lies there.
template <typename T>
__device__ void toeplitz_clear_beside(toeplitz_tile_view<T> const& view, int count)
{
  T* const begin = view.staged;
  T* const end   = begin + view.tile.input_columns;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    begin[-1 - i] = from_sum<T>(0.0f);
    end[i]        = from_sum<T>(0.0f);
  }
}

/// The rows of x that an item's slots have staged. Slots are numbered down the plane, so the first
/// and the last are the highest and the lowest.
template <bool Dilates, typename T>
[[nodiscard]] __device__ toeplitz_span toeplitz_span_of(toeplitz_tile_view<T> const& view,
                                                        int first_slot)
{
  auto const& [p, tile, staged, kept, filters] = view;
  auto const& n                                = p.grid;
  int const last_slot                          = min(first_slot + toeplitz_slots, n.slots) - 1;
  auto const first_row                         = [&](int slot) {
    int const run = n.images.quotient(n.blocks.quotient(slot));
    return (tile.row + run * p.walk) * p.frame.stride_height - p.frame.pad_top - tile.input_row;
  };
  if (Dilates && n.step.divisor() > 1) {
    // In steps; where there is one walk below each other, phases all begin within the first of
    // them.
    int const top   = tile.row - p.frame.pad_top - tile.input_row;
    bool const once = p.walk * n.step.divisor() >= tile.rows;
    return {once ? n.step.quotient_up(max(1 - n.step.divisor() - top, 0)) : 0,
            n.step.quotient_up(max(tile.input_rows - top, 0))};
  }
  int const rows_met = (p.walk - 1) * p.frame.stride_height + p.frame.filter_height;
  return {max(0, -first_row(last_slot)), min(rows_met, tile.input_rows - first_row(first_slot))};
}

/// Computes what a warp has of a tile.
///
/// @tparam Along   Walks go along a plane's only row.
/// @param view     The tile.
/// @param epilogue Called once per output.
/// @param load     Brings the tile; started.
template <typename Config, bool Along, typename T, typename Epilogue, typename Load>
__device__ void toeplitz_compute(toeplitz_tile_view<T> const& view, Epilogue const& epilogue,
                                 Load& load)
{
  using engine                                 = typename Config::engine;
  auto const& [p, tile, staged, kept, filters] = view;
  auto const& g                                = p.layout;
  auto const& f                                = p.frame;
  int const step                               = engine::dilates ? p.grid.step.divisor() : 1;
  int const warps                              = static_cast<int>(blockDim.x) / warp_lanes;
  typename engine::filter filter;
  [[maybe_unused]] int held = -1;
#pragma unroll 1
  for (int index = warp_index();; index += warps) {
    bool const first = index < warps;
    auto item        = toeplitz_item::of(p.grid, index);
    bool const any   = index < p.grid.items && item.input < tile.channels;
    if (!any) {
      if (!first) { break; }
      item = {};  // Prepares something, for it has to meet the others.
    }
    toeplitz_early const early = toeplitz_early_of<Along, engine::dilates>(view, item);
    int const shift            = engine::shifts ? early.row[0] : 0;
    [[maybe_unused]] typename engine::filter::raw taps;
    if constexpr (engine::extends_filter) {
      auto const& rows = g.filter;
      filter.take(filters + item.channel * f.filter_height * 4 * rows.pitch, rows, f.stride_width,
                  p.lead);
    } else if constexpr (engine::keeps) {
      bool const second = !engine::shifts && toeplitz_slot::of_second_class(p.grid, item.slot);
      int const wanted  = 2 * item.channel + (second ? 1 : 0);
      if (wanted != held) {
        toeplitz_fetch_filter<Config>(taps, view, item);
        filter.take(taps, early);
      }
      held = wanted;
    } else {
      toeplitz_fetch_filter<Config>(taps, view, item);
      if constexpr (!engine::filter::overlaps) { filter.take(taps, early); }
    }

    typename engine::windows windows;
    toeplitz_retire<T, Epilogue, Config::kept, Config::even, Along, engine::shifts> retire{
      {},
      -engine::early_rows,
      Along          ? toeplitz_stretch
      : Config::kept ? g.kept_row * step
                     : f.output_width * step,
      step,
      f.output_width * step,
      epilogue};
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      auto const slot = toeplitz_slot::of<Along, engine::dilates>(
        p, tile, item.slot + lane_index() / 4 + 8 * s, shift);
      T const* const plane_of_x =
        staged + (slot.image * g.image_pitch + item.input * g.plane_pitch);
      windows.template place<Along>(s, plane_of_x, p, tile, slot, early);
      int const across  = slot.column + 2 * (lane_index() % 4);
      int const columns = tile.columns - across;
      output_coordinate at{tile.image + slot.image, tile.channel * f.multiplier + item.channel,
                           tile.row + slot.row, tile.column + across, 0};
      std::int64_t const plane = at.batch * (p.grid.channels * f.multiplier) + at.channel;
      at.offset                = (plane * f.output_height + at.row) * f.output_width + at.column;
      int const before         = retire.row * step;
      at.row += before;
      at.offset += static_cast<std::int64_t>(before) * f.output_width;
      T* const to = Config::kept ? kept + (slot.image * g.kept_image + item.channel * g.kept_plane +
                                           (slot.row + before) * g.kept_row + across)
                                 : p.y + at.offset;
      auto const rows_of = [&](int left) {
        int const rows =
          Along ? min(slot.rows, (left + toeplitz_stretch - 1) / toeplitz_stretch) : slot.rows;
        return static_cast<unsigned>(left > 0 ? rows : 0);
      };
      retire.slot[s] = {at,
                        decltype(retire.slot[s].kept){to},
                        {rows_of(across < 0 ? 0 : columns), rows_of(columns - 1)}};
    }
    toeplitz_span const span = toeplitz_span_of<engine::dilates>(view, item.slot);
    if constexpr (!engine::extends_filter && !engine::keeps) {
      if constexpr (engine::filter::overlaps) { filter.take(taps, early); }
    }
    if (first) {
      load.settle();
      block_sync();
    }
    load.wait();
    if (Along && first) {
      toeplitz_clear_beside(view, g.slack - toeplitz_layout::piece);
      block_sync();
    }
    if (!any) { break; }
    int const rows = step == 1 ? tile.rows : p.grid.step.quotient_up(tile.rows);
    engine::walk(windows, filter, f.filter_height, f.stride_height,
                 Along ? p.walk : min(p.walk, rows), span, retire);
  }
}

/// A tile a block: staged whole, multiplied by the banded matrices of its filters, stored whole.
/// Blocks take tiles in the order of memory, several at a time on one multiprocessor: while one
/// waits for its tile another computes.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(toeplitz_threads,
                                  epilogue::blocks_beside<Epilogue>(Config::blocks, false))
  toeplitz_forward_kernel(toeplitz_params<typename Config::element_type> const p,
                          Epilogue const epilogue)
{
  using T      = typename Config::element_type;
  using engine = typename Config::engine;
  // What moves the tile is settled here, not on the host: one host program serves several
  // architectures.
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;

  auto* const barrier = dynamic_shared_memory<transaction_barrier>();
  T* const input_area = dynamic_shared_memory<T>() + 128 / sizeof(T);
  T* const kept_area  = input_area + p.layout.input_size;
  T* const filters    = kept_area + p.layout.output_size;

  auto const& f = p.frame;
  auto const tile =
    toeplitz_position::of(p.layout, p.grid, f, static_cast<std::int32_t>(blockIdx.x));
  std::int64_t const plane = static_cast<std::int64_t>(tile.image) * p.grid.channels + tile.channel;
  std::int64_t const planes = static_cast<std::int64_t>(p.grid.batch) * p.grid.channels;
  T const* const x =
    p.x + ((plane * f.input_height + tile.input_row) * f.input_width + tile.input_column);
  T* const y =
    p.y + ((plane * f.multiplier * f.output_height + tile.row) * f.output_width + tile.column);
  toeplitz_tile_view<T> const view{p, tile, input_area + (p.layout.slack + past_boundary(x)),
                                   kept_area + past_boundary(y), filters};

  toeplitz_load<T, how> load{*barrier, p.x, p.x + planes * f.input_height * f.input_width,
                             p.passing};
  load.start(toeplitz_input_runs(p.layout, p.grid, f, tile), x,
             input_area + (p.layout.slack + past_boundary(x)));
  // Filters are on their way while the tile lands.
  if constexpr (engine::extends_filter) {
    // As they are, first, behind their place.
    T* const raw          = filters + p.layout.filter_size;
    int const filter_size = f.filter_height * f.filter_width;
    int const channels    = tile.channels * f.multiplier;
    stage_filters(raw,
                  p.filter + static_cast<std::int64_t>(tile.channel) * f.multiplier * filter_size,
                  channels * filter_size, filter_size, p.turned);
    block_sync();
    extend_filter_rows(filters, raw, channels * f.filter_height, f.filter_width, p.layout.filter);
  }
  if (Config::one_row && p.along) {
    toeplitz_compute<Config, Config::one_row>(view, epilogue, load);
  } else {
    toeplitz_compute<Config, false>(view, epilogue, load);
  }
  if constexpr (Config::kept) {
    if constexpr (how == mover::bulk) { fence_before_bulk(); }
    block_sync();
    toeplitz_store<how>(toeplitz_output_runs(p.layout, p.grid, f, tile), y,
                        kept_area + past_boundary(y));
  }
}

DWCONV_ABI_NAMESPACE_END
