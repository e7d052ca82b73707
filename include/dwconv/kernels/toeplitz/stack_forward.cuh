// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/toeplitz/stack_engine.cuh>
#include <dwconv/kernels/toeplitz/stack_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// What a warp computes at a time: some blocks of the columns of 16 slots of an output channel.
struct toeplitz_stack_item {
  int channel;  ///< Of the tile's output channels.
  int input;    ///< Of its input channels.
  int slot;     ///< First one.
  int column;   ///< First one of the tile.

  /// Blocks that have a neighbour on one side only have less to multiply: they are the last to be
  /// dealt out, so that warps get an equal share of both kinds.
  [[nodiscard]] static __device__ toeplitz_stack_item of(toeplitz_grid const& n, int index)
  {
    toeplitz_stack_item item{};
    int const line   = n.matrices.quotient(index);
    item.slot        = (index - line * n.matrices.divisor()) * toeplitz_slots;
    int const planes = n.items / (n.matrices.divisor() * n.blocks.divisor());
    int const group  = line / planes;
    item.channel     = line - group * planes;
    item.input       = n.multiplier.quotient(item.channel);
    item.column      = group * (toeplitz_stack_blocks * toeplitz_block);
    return item;
  }
};

/// One of the 16 slots: up to 7 rows of an image of the tile.
struct toeplitz_stack_slot {
  int image;
  int row;   ///< First output row of the tile,
  int rows;  ///< of so many; none where there is no such slot.

  [[nodiscard]] static __device__ toeplitz_stack_slot of(toeplitz_grid const& n,
                                                         toeplitz_position const& t, int index)
  {
    int const run = n.images.quotient(index);
    toeplitz_stack_slot s{};
    s.image = index - run * n.images.divisor();
    s.row   = run * toeplitz_stack_rows;
    s.rows  = index < n.slots && s.image < t.images ? min(toeplitz_stack_rows, t.rows - s.row) : 0;
    return s;
  }
};

/// Gives an item's sums to the epilogue and writes the results.
template <typename T, int Halves, typename Epilogue>
__device__ void toeplitz_stack_store(toeplitz_stack_params<T> const& p,
                                     toeplitz_position const& tile, toeplitz_stack_item const& item,
                                     toeplitz_stack_engine<T, Halves> const& engine,
                                     Epilogue const& epilogue)
{
  auto const& f = p.frame;
#pragma unroll
  for (int s = 0; s < 2; ++s) {
    auto const slot  = toeplitz_stack_slot::of(p.grid, tile, item.slot + lane_index() / 4 + 8 * s);
    int const across = item.column + 2 * (lane_index() % 4);
    output_coordinate at{tile.image + slot.image, tile.channel * f.multiplier + item.channel,
                         tile.row + slot.row, tile.column + across, 0};
    std::int64_t const plane = at.batch * (p.grid.channels * f.multiplier) + at.channel;
    at.offset                = (plane * f.output_height + at.row) * f.output_width + at.column;
#pragma unroll
    for (int r = 0; r < toeplitz_stack_rows; ++r, ++at.row, at.offset += f.output_width) {
#pragma unroll
      for (int b = 0; b < toeplitz_stack_blocks; ++b) {
        int const left         = r < slot.rows ? tile.columns - across - b * toeplitz_block : 0;
        output_coordinate here = at;
        here.column += b * toeplitz_block;
        here.offset += b * toeplitz_block;
        output_coordinate next = here;
        ++next.column;
        ++next.offset;
        auto const& sums = engine.sums(r, b).r;
        T* const to      = p.y + here.offset;
        if (left > 1 && p.pairs) {
          store_pair(
            to, pair_from_sums<T>(epilogue(sums[2 * s], here), epilogue(sums[2 * s + 1], next)));
        } else {
          if (left > 0) { to[0] = from_sum<T>(epilogue(sums[2 * s], here)); }
          if (left > 1) { to[1] = from_sum<T>(epilogue(sums[2 * s + 1], next)); }
        }
      }
    }
  }
}

/// One compiled kernel of stacks, for windows of so many halves of matrix products.
template <half_element T, int Halves>
struct toeplitz_stack_config {
  using element_type          = T;
  static constexpr int halves = Halves;
};

/// An item of a tile that has landed.
template <typename Config, typename T, typename Epilogue>
__device__ void toeplitz_stack_compute(toeplitz_stack_params<T> const& p,
                                       toeplitz_position const& tile,
                                       toeplitz_stack_item const& item, T const* zeros,
                                       T const* staged, T const* filters, Epilogue const& epilogue)
{
  constexpr int half = toeplitz_stack::half;
  auto const& f      = p.frame;
  auto const& s      = p.stack;
  toeplitz_band<T> filter;
  filter.take(filters + item.channel * f.filter_height * 4 * s.filter.pitch, s.filter, 1, s.lead);

  // Halves are counted from the item's first window.
  int const first_half  = (tile.column + item.column - tile.input_column) / half - s.before;
  int const halves      = (tile.input_columns + half - 1) / half;
  int const blocks_left = (tile.columns - item.column + toeplitz_block - 1) / toeplitz_block;
  auto const row_of     = [&](toeplitz_stack_slot const& slot) {
    return tile.row + slot.row - f.pad_top - tile.input_row;
  };
  auto const slot = toeplitz_stack_slot::of(p.grid, tile, item.slot + lane_index() % 16);
  toeplitz_stack_rows_of_x<T> x{};
  int const lane_half = first_half + lane_index() / 16;
  x.pitch             = s.halves * half;
  x.row               = row_of(slot);
  x.rows              = slot.rows > 0 ? tile.input_rows : 0;
  x.zeros             = zeros;
  x.line = staged + (item.input * s.plane_pitch + slot.image * s.image_pitch + x.row * x.pitch +
                     lane_half * half);
#pragma unroll
  for (int h = 0; h <= toeplitz_stack_blocks + Config::halves; ++h) {
    x.halves |= static_cast<unsigned>(lane_half + h) < static_cast<unsigned>(halves) ? 1u << h : 0u;
  }
  int const last = min(item.slot + toeplitz_slots, p.grid.slots) - 1;
  toeplitz_span const span{
    max(0, -row_of(toeplitz_stack_slot::of(p.grid, tile, last))),
    min(toeplitz_stack_rows - 1 + f.filter_height,
        tile.input_rows - row_of(toeplitz_stack_slot::of(p.grid, tile, item.slot)))};

  using engine = toeplitz_stack_engine<T, Config::halves>;
  engine multiply;
  multiply.walk(x, filter, f.filter_height, span,
                engine::products_of(first_half, halves, blocks_left));
  toeplitz_stack_store(p, tile, item, multiply, epilogue);
}

/// A tile a block: staged, multiplied by the banded matrices of its filters, and written as items
/// are complete. For filters so large that multiplying takes longer than moving.
template <typename Config, typename Epilogue>
__global__ void __launch_bounds__(toeplitz_threads, epilogue::blocks_beside<Epilogue>(2, false))
  toeplitz_stack_kernel(toeplitz_stack_params<typename Config::element_type> const p,
                        Epilogue const epilogue)
{
  using T = typename Config::element_type;

  T* const zeros   = dynamic_shared_memory<T>();
  T* const staged  = zeros + toeplitz_stack::zeros;
  T* const filters = staged + p.stack.input_size;

  auto const& f = p.frame;
  auto const tile =
    toeplitz_position::of(p.stack, p.grid, f, static_cast<std::int32_t>(blockIdx.x));
  toeplitz_stack_load<T>{p, tile, staged}.start();
  if (threadIdx.x < toeplitz_stack::half) { zeros[threadIdx.x] = from_sum<T>(0.0f); }
  T* const raw          = filters + p.stack.filter_size;
  int const filter_size = f.filter_height * f.filter_width;
  int const channels    = tile.channels * f.multiplier;
  T const* const first =
    p.filter + static_cast<std::int64_t>(tile.channel) * f.multiplier * filter_size;
  stage_filters(raw, first, channels * filter_size, filter_size, p.turned);
  block_sync();
  extend_filter_rows(filters, raw, channels * f.filter_height, f.filter_width, p.stack.filter);
  async_wait<0>();
  block_sync();
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
#pragma unroll 1
  for (int index = warp_index(); index < p.grid.items; index += warps) {
    auto const item = toeplitz_stack_item::of(p.grid, index);
    if (item.input < tile.channels && item.column < tile.columns) {
      toeplitz_stack_compute<Config>(p, tile, item, zeros, staged, filters, epilogue);
    }
  }
}

DWCONV_ABI_NAMESPACE_END
