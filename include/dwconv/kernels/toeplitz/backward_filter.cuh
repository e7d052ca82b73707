// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/architecture.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/kernels/toeplitz/gradient_stage.cuh>
#include <dwconv/kernels/toeplitz/gradient_sums.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One compiled kernel.
///
/// @tparam Rows   Filter rows of a warp, at most.
/// @tparam Halves Blocks of x beside each block of dy.
template <half_element T, int Rows, int Halves, mover Mover = mover::newest>
struct toeplitz_gradient_config {
  using element_type          = T;
  using params                = toeplitz_gradient_params<T>;
  using sums                  = gradient_sums<T, Rows, Halves>;
  using lanes                 = gradient_lanes<T, Halves>;
  static constexpr int rows   = Rows;
  static constexpr int halves = Halves;
  static constexpr mover how  = Mover;
  static constexpr int blocks = gradient_blocks(Rows, Halves);
};

/// Multiplies a chunk that lies in an area.
template <typename Config>
__device__ void multiply_chunk(typename Config::sums& sums, typename Config::lanes& lanes,
                               gradient_note const& c)
{
  int const dy_rows = c.dy_rows();
  int step          = 0;
#pragma unroll 1
  for (; step < c.lead(); ++step) { sums.lead(lanes, step < dy_rows); }
  // As many at a time as rows of dy are kept: then none of them moves. Of many, all would not fit
  // in registers.
  constexpr int round = Config::sums::kept;
  if constexpr (round <= 10) {
#pragma unroll 1
    for (; step + round <= c.steps(); step += round) {
#pragma unroll
      for (int i = 0; i < round; ++i) { sums.step(lanes, step + i < dy_rows); }
    }
  }
#pragma unroll 1
  for (; step < c.steps(); ++step) { sums.step(lanes, step < dy_rows); }
  if (c.last()) { sums.finish(); }
}

/// Adds up the diagonals, each a tap, and leaves them in the workspace.
template <typename Config>
__device__ void store_taps(typename Config::params const& p, gradient_item const& item,
                           float const* sums)
{
  std::int64_t const filter_size = static_cast<std::int64_t>(p.filter_height) * p.filter_width;
  float* const to =
    p.partial + (static_cast<std::int64_t>(item.split) * p.filters + item.channel) * filter_size;
  int const taps = item.tap_rows * p.policy.tap_columns;
  for (int i = lane_index(); i < taps; i += warp_lanes) {
    int const row    = p.tap_columns.quotient(i);
    int const column = i - row * p.policy.tap_columns;
    if (column >= item.tap_columns) { continue; }
    int const first = column - item.pad_left - gradient_block * item.first_block;
    float sum       = 0;
#pragma unroll
    for (int j = 0; j < gradient_block; ++j) {
      int const of_x = first + j;
      if (of_x >= 0 && of_x < Config::halves * gradient_block) {
        sum += sums[(row * Config::halves * gradient_block + of_x) * gradient_block + j];
      }
    }
    to[(item.tap_row + row) * p.filter_width + (item.tap_column + column)] = sum;
  }
}

/// A warp's part of shared memory, and the chunks on their way to it.
template <typename Config, mover How>
class gradient_ring {
 public:
  using T = typename Config::element_type;

  __device__ gradient_ring(typename Config::params const& p, int warp)
    : p_{p},
      notes_{*reinterpret_cast<gradient_notes*>(dynamic_shared_memory<unsigned char>() +
                                                (p.table_bytes + warp_index() * p.warp_bytes))},
      load_{p, reinterpret_cast<transaction_barrier*>(notes_.landed)}
  {
    gradient_item const item = gradient_item::of(p, warp);
    if (lane_index() == 0) {
      for (auto& z : notes_.zeros) { z = 0; }
      notes_.item  = item;
      notes_.ahead = gradient_walk<T>{p, item}.place();
    }
    load_.prepare();
  }

  /// Areas that chunks are copied to. Where rows have to be laid out, that takes the last one.
  [[nodiscard]] __device__ int depth() const
  {
    return p_.way == gradient_way::laid_out ? gradient_layout::areas - 1 : gradient_layout::areas;
  }

  /// Starts the next chunk, if there is one, on its way into an area that no lane reads any more.
  __device__ void fetch(int index)
  {
    warp_sync();  // where the walk is was written by one lane
    gradient_walk<T> walk{p_, notes_.item, notes_.ahead};
    gradient_note note{};
    if (walk.done()) {
      load_.skip();
    } else {
      gradient_chunk const chunk = walk.chunk();
      if (p_.way == gradient_way::by_units) {
        load_.start_units(area(index), dynamic_shared_memory<gradient_entry>(), notes_.item, chunk);
        note = gradient_note::of(chunk, 0, 0);
      } else {
        unsigned const past = load_.start(index, area(index), notes_.item, chunk);
        note = gradient_note::of(chunk, shuffle(past, 0), shuffle(past, gradient_runs_most));
      }
      walk.next();
    }
    warp_sync();
    if (lane_index() == 0) {
      notes_.ahead         = walk.place();
      notes_.chunks[index] = note;
    }
  }

  /// Waits for the chunk of an area; one without steps is none.
  [[nodiscard]] __device__ gradient_note wait(int index, unsigned phase)
  {
    warp_sync();
    gradient_note const note = notes_.chunks[index];
    if (note.steps() > 0) { load_.wait(index, phase, depth() - 1); }
    return note;
  }

  /// Lays a chunk out in the last area.
  __device__ void lay_out(int index, gradient_note const& c)
  {
    auto const* const table = dynamic_shared_memory<gradient_entry>();
    lay_out_rows(p_.x, table, c.images(), c.steps() - c.lead(),
                 notes_.item.staged_block(p_, c.block), c.x_past(), area(index), area(depth()));
    lay_out_rows(p_.dy, table, c.images(), c.dy_rows(), c.block, c.dy_past(), area(index),
                 area(depth()));
    warp_sync();
  }

  /// Where the lanes read in the unit of a chunk.
  __device__ void place(typename Config::lanes& lanes, gradient_note const& c) const
  {
    lanes.place(p_, notes_.item, c, offset(reinterpret_cast<unsigned char const*>(notes_.zeros)));
  }

  [[nodiscard]] __device__ unsigned char* area(int index) const
  {
    return reinterpret_cast<unsigned char*>(&notes_) +
           (gradient_layout::staged + index * p_.area_bytes);
  }
  /// Bytes from the begin of the block's shared memory.
  [[nodiscard]] static __device__ int offset(unsigned char const* at)
  {
    return static_cast<int>(at - dynamic_shared_memory<unsigned char>());
  }
  [[nodiscard]] __device__ gradient_item const& item() const { return notes_.item; }

 private:
  typename Config::params const& p_;
  gradient_notes& notes_;
  gradient_load<T, How> load_;
};

/// The first pass of the gradient of the filter. Warps share a table and nothing else: each sums
/// some taps of one filter over its units, which pass through its own part of shared memory.
template <typename Config>
__global__ void __launch_bounds__(gradient_threads, Config::blocks)
  toeplitz_gradient_kernel(typename Config::params const p)
{
  constexpr mover how = Config::how == mover::newest ? mover_for(architecture()) : Config::how;
  if (p.way == gradient_way::by_units) {
    list_units(p.x, dynamic_shared_memory<gradient_entry>());
    list_units(p.dy, dynamic_shared_memory<gradient_entry>());
  }
  if (p.way == gradient_way::laid_out) {
    list_pieces(p, p.x, dynamic_shared_memory<gradient_entry>());
    list_pieces(p, p.dy, dynamic_shared_memory<gradient_entry>());
  }
  block_sync();
  int const warp = static_cast<int>(blockIdx.x) * (gradient_threads / warp_lanes) + warp_index();
  if (warp >= p.items * p.policy.splits) { return; }
  gradient_ring<Config, how> ring{p, warp};
  for (int i = 0; i < ring.depth(); ++i) { ring.fetch(i); }

  typename Config::sums sums{};
  typename Config::lanes lanes{};
  int index      = 0;
  unsigned phase = 0;
  while (true) {
    gradient_note const chunk = ring.wait(index, phase);
    if (chunk.steps() == 0) { break; }
    if (chunk.first()) { ring.place(lanes, chunk); }
    bool const in_place = p.way != gradient_way::laid_out;
    if (in_place) {
      lanes.begin(ring.offset(ring.area(index)));
    } else {
      ring.lay_out(index, chunk);
      ring.fetch(index);
      lanes.begin(ring.offset(ring.area(ring.depth())));
    }
    multiply_chunk<Config>(sums, lanes, chunk);
    warp_sync();
    if (in_place) { ring.fetch(index); }
    if (++index == ring.depth()) {
      index = 0;
      ++phase;
    }
  }
  let_next_launch_begin();
  auto* const kept = reinterpret_cast<float*>(ring.area(0));
  sums.store(kept);
  warp_sync();
  store_taps<Config>(p, ring.item(), kept);
}

DWCONV_ABI_NAMESPACE_END
