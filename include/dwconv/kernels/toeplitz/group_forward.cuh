// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/device/wgmma.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/toeplitz/group_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// The sums of 64 slots: 28 rows of 8 columns each.
struct toeplitz_group_sums {
  static constexpr int count = toeplitz_group_rows * 4;
  float r[count];
};

/// Units from a row or a pair of units to the next, of x and of the extended filter.
struct toeplitz_group_pitches {
  int row_of_x;
  int row_of_w;
  int pair_of_x;
  int pair_of_w;
};

/// Multiplies a stage: `Pairs` pairs of units of its windows, each of all the stage's rows, by the
/// filter rows that `Taken` rows of sums meet.
///
/// Straight code between the begin and the end of a group, or the compiler waits for each product.
template <typename T, int Taken, int Pairs>
__device__ __forceinline__ void toeplitz_group_multiply(toeplitz_group_sums& sums,
                                                        wgmma_matrix const& x,
                                                        wgmma_matrix const& w,
                                                        toeplitz_group_pitches const& pitch)
{
  wgmma_begin();
#pragma unroll
  for (int c = 0; c < Pairs; ++c) {
#pragma unroll
    for (int r = 0; r < toeplitz_group_stage; ++r) {
      warpgroup_product<T, Taken * toeplitz_block>(sums.r,
                                                   x.at(c * pitch.pair_of_x + r * pitch.row_of_x),
                                                   w.at(c * pitch.pair_of_w + r * pitch.row_of_w));
    }
  }
  wgmma_commit();
  wgmma_wait();
}

/// The same for any number of pairs.
template <typename T, int Taken>
__device__ __forceinline__ void toeplitz_group_row(toeplitz_group_sums& sums, wgmma_matrix x,
                                                   wgmma_matrix w,
                                                   toeplitz_group_pitches const& pitch, int pairs)
{
#pragma unroll 1
  for (; pairs >= 3; pairs -= 3) {
    toeplitz_group_multiply<T, Taken, 3>(sums, x, w, pitch);
    x = x.at(3 * pitch.pair_of_x);
    w = w.at(3 * pitch.pair_of_w);
  }
  if (pairs == 2) {
    toeplitz_group_multiply<T, Taken, 2>(sums, x, w, pitch);
  } else if (pairs == 1) {
    toeplitz_group_multiply<T, Taken, 1>(sums, x, w, pitch);
  }
}

/// Walks down the rows of x of a tile.
template <typename T>
__device__ __forceinline__ void toeplitz_group_walk(toeplitz_group_params<T> const& p,
                                                    toeplitz_group_position const& tile,
                                                    toeplitz_group_load<T> const& load,
                                                    T const* staged, T const* filter,
                                                    toeplitz_group_sums& sums)
{
  auto const& g       = p.group;
  int const height    = p.frame.filter_height;
  int const pairs     = (tile.units + 1) / 2;
  int const unit_of_w = g.filter_rows * toeplitz_group::unit;
  wgmma_matrix const x{staged, g.unit_pitch, g.eight_pitch};
  wgmma_matrix const w =
    wgmma_matrix{filter, unit_of_w, toeplitz_group::unit}.at(tile.first_unit * unit_of_w);
  toeplitz_group_pitches const pitch{
    g.row_pitch, tile.steps.upwards ? toeplitz_group::unit : -toeplitz_group::unit,
    2 * g.unit_pitch, 2 * unit_of_w};
  int stage = 0;
#pragma unroll 1
  for (int step = tile.steps.first; step < tile.steps.end; step += toeplitz_group_stage) {
    async_wait<0>();
    fence_before_wgmma();
    block_sync();
    int const taken = toeplitz_group_taken(tile.steps.needed(step, g.rows, height));
    auto const rows = x.at(stage * toeplitz_group_stage * g.row_pitch);
    auto const taps =
      w.at((g.zero_rows + tile.steps.filter_row(step, g.rows, height)) * toeplitz_group::unit);
    stage = 1 - stage;
    load.start(stage, step + toeplitz_group_stage);
    if (taken == 8) {
      toeplitz_group_row<T, 8>(sums, rows, taps, pitch, pairs);
    } else if (taken == 14) {
      toeplitz_group_row<T, 14>(sums, rows, taps, pitch, pairs);
    } else if (taken == 20) {
      toeplitz_group_row<T, 20>(sums, rows, taps, pitch, pairs);
    } else {
      toeplitz_group_row<T, toeplitz_group_rows>(sums, rows, taps, pitch, pairs);
    }
  }
}

/// Gives the sums to the epilogue and leaves the results in shared memory.
template <typename T, typename Epilogue>
__device__ __forceinline__ void toeplitz_group_retire(toeplitz_group_params<T> const& p,
                                                      toeplitz_group_position const& tile,
                                                      toeplitz_group_sums const& sums, T* results,
                                                      Epilogue const& epilogue)
{
  auto const& f    = p.frame;
  auto const& g    = p.group;
  int const pitch  = p.whole ? f.output_width : g.tile.columns;
  bool const pairs = pitch % 2 == 0;
#pragma unroll
  for (int s = 0; s < 2; ++s) {
    int const slot   = warp_index() * 16 + lane_index() / 4 + 8 * s;
    int const block  = slot / g.images();
    int const image  = slot - block * g.images();
    int const run    = p.images.quotient(image);
    int const across = block * toeplitz_block + 2 * (lane_index() % 4);
    int const left   = tile.columns - across;
    output_coordinate at{tile.image + (image - run * p.images.divisor()), tile.channel,
                         tile.row + run * g.rows, tile.column + across, 0};
    int const rows = min(g.rows, tile.row + tile.rows - static_cast<int>(at.row));
    if (rows <= 0 || left <= 0 || at.batch >= tile.image + tile.images) { continue; }
    std::int64_t const plane = at.batch * p.channels + at.channel;
    // The sums' first row is the last one where they go upwards.
    int const first = tile.steps.upwards ? g.rows - 1 : 0;
    int const step  = tile.steps.upwards ? -1 : 1;
    at.row += first;
    at.offset = (plane * f.output_height + at.row) * f.output_width + at.column;
    T* to     = results + image * g.y_pitch + first * pitch + across;
#pragma unroll
    for (int r = 0; r < toeplitz_group_rows; ++r) {
      if (static_cast<unsigned>(first + step * r) < static_cast<unsigned>(rows)) {
        output_coordinate next = at;
        ++next.column;
        ++next.offset;
        float const one = epilogue(sums.r[4 * r + 2 * s], at);
        float const two = left > 1 ? epilogue(sums.r[4 * r + 2 * s + 1], next) : 0.0f;
        if (pairs) {
          store_pair(to, pair_from_sums<T>(one, two));
        } else {
          to[0] = from_sum<T>(one);
          if (left > 1) { to[1] = from_sum<T>(two); }
        }
      }
      to += step * pitch;
      at.row += step;
      at.offset += step * f.output_width;
    }
  }
}

/// Writes results from shared memory, run by run.
template <typename T>
class toeplitz_group_store {
 public:
  __device__ toeplitz_group_store(toeplitz_group_params<T> const& p,
                                  toeplitz_group_position const& tile, T const* results)
    : p_{p}, tile_{tile}, results_{results}
  {}

  __device__ void operator()() const
  {
    if (p_.whole && p_.run_unit == 8) {
      bulk();
      return;
    }
    block_sync();
    switch (p_.run_unit) {
      case 8: deal_out<8>(); break;
      case 4: deal_out<4>(); break;
      case 2: deal_out<2>(); break;
      default: deal_out<1>(); break;
    }
  }

 private:
  /// A thread an image, or a run of rows of one.
  __device__ void bulk() const
  {
    auto const& f = p_.frame;
    auto const& g = p_.group;
    fence_before_bulk();
    block_sync();
    int const slot  = static_cast<int>(threadIdx.x);
    int const run   = p_.images.quotient(slot);
    int const image = slot - run * p_.images.divisor();
    int const row   = run * g.rows;
    if (slot < g.images() && image < tile_.images && row < tile_.rows) {
      std::int64_t const plane =
        static_cast<std::int64_t>(tile_.image + image) * p_.channels + tile_.channel;
      int const elements = min(g.rows, tile_.rows - row) * f.output_width;
      bulk_store(p_.y + (plane * f.output_height + tile_.row + row) * f.output_width,
                 results_ + slot * g.y_pitch, static_cast<unsigned>(elements * sizeof(T)));
      bulk_commit();
      bulk_wait_read<0>();
    }
  }

  template <int Unit>
  __device__ void deal_out() const
  {
    auto const& f   = p_.frame;
    auto const& g   = p_.group;
    int const lines = g.images() * p_.run_lines.divisor();
    int const count = p_.run_parts.divisor() * lines;
#pragma unroll 2
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      int const line   = p_.run_parts.quotient(i);
      int const at     = (i - line * p_.run_parts.divisor()) * Unit;
      int const slot   = p_.run_lines.quotient(line);
      int const below  = line - slot * p_.run_lines.divisor();
      int const run    = p_.images.quotient(slot);
      int const image  = slot - run * p_.images.divisor();
      int const row    = run * g.rows + below;
      int const length = p_.whole ? min(g.rows, tile_.rows - row) * f.output_width : tile_.columns;
      if (image >= tile_.images || row >= tile_.rows || at >= length) { continue; }
      std::int64_t const plane =
        static_cast<std::int64_t>(tile_.image + image) * p_.channels + tile_.channel;
      T* const to =
        p_.y + (plane * f.output_height + tile_.row + row) * f.output_width + tile_.column + at;
      T const* const from = results_ + slot * g.y_pitch + below * g.tile.columns + at;
      copy<Unit>(to, from);
    }
  }

  template <int Unit>
  static __device__ void copy(T* to, T const* from)
  {
    struct __attribute__((aligned(Unit * sizeof(T)), may_alias)) piece {
      std::uint16_t elements[Unit];
    };
    *reinterpret_cast<piece*>(to) = *reinterpret_cast<piece const*>(from);
  }

  toeplitz_group_params<T> const& p_;
  toeplitz_group_position const& tile_;
  T const* results_;
};

/// A tile a block, of one warpgroup: its filter extended, rows of x staged and multiplied, results
/// written through shared memory.
template <half_element T, typename Epilogue>
__global__ void __launch_bounds__(warpgroup_threads, epilogue::blocks_beside<Epilogue>(3, false))
  toeplitz_group_kernel(toeplitz_group_params<T> const p, Epilogue const epilogue)
{
  if constexpr (compiled_for_warpgroups()) {
    auto const& g   = p.group;
    auto const& f   = p.frame;
    T* const filter = dynamic_shared_memory<T>();
    T* const staged = filter + g.filter_size * toeplitz_group::unit;
    T* const raw    = staged + g.staged * toeplitz_group::unit;

    auto const tile = toeplitz_group_position::of(p, static_cast<std::int32_t>(blockIdx.x));
    toeplitz_group_load<T> const load{p, tile, staged};
    load.clear();
    block_sync();
    load.start(0, tile.steps.first);
    toeplitz_group_widen(
      raw, p.filter + static_cast<std::int64_t>(tile.channel) * f.filter_height * f.filter_width, g,
      f.filter_height, f.filter_width, p.turned);
    block_sync();
    toeplitz_group_extend(filter, raw, g, f.filter_height, tile.steps.upwards);
    toeplitz_group_sums sums;
#pragma unroll
    for (float& sum : sums.r) { sum = 0.0f; }
    toeplitz_group_walk(p, tile, load, staged, filter, sums);
    wgmma_settle(sums.r);
    // Results take the place of what was multiplied.
    async_wait<0>();
    block_sync();
    toeplitz_group_retire(p, tile, sums, filter, epilogue);
    toeplitz_group_store<T>{p, tile, filter}();
  } else {
    wgmma_begin();  // traps: the plan was made for other code than this
  }
}

DWCONV_ABI_NAMESPACE_END
