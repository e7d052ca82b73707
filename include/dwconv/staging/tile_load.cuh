// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_runs.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Copies what lies outside whole pieces, elements `start`, `start + step`, ... of each end.
template <typename T>
__device__ void copy_ends(T* to, T const* from, int count, run_cut cut, int start, int step)
{
  int const head = cut.has_pieces() ? cut.first : count;
  int const tail = cut.has_pieces() ? cut.last : count;
#pragma unroll 1
  for (int e = start; e < head; e += step) { to[e] = from[e]; }
#pragma unroll 1
  for (int e = tail + start; e < count; e += step) { to[e] = from[e]; }
}

/// The tensor that runs are read from, which copies may be rounded outwards in.
template <typename T>
struct tensor_range {
  T const* begin;
  T const* end;
};

/// The warp that starts the copies after chunk number `chunk - tile_stages`: each in turn, so that
/// none falls behind the others.
[[nodiscard]] __device__ inline int serving_warp(int chunk)
{
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
  return chunk < tile_stages ? 0 : (chunk - tile_stages) % warps;
}

/// Says that another load of the block has set the barriers up.
struct resumed {};

/// Brings chunks in by the copy engine, each into a stage of its own: the first warp starts them, a
/// lane for each run, and everyone waits on the stage's barrier.
template <typename T>
class bulk_tile_load {
 public:
  /// `landed` are `tile_stages` barriers in shared memory. The block synchronises before it waits.
  __device__ bulk_tile_load(transaction_barrier* landed, tile_runs<T const> const& runs,
                            tensor_range<T> tensor)
    : landed_{landed}, runs_{runs}, tensor_{tensor}
  {
    if (threadIdx.x == 0) {
      for (int s = 0; s < tile_stages; ++s) { landed_[s].init(1); }
      fence_barrier_init();
    }
    if (warp_index() == 0) { warp_sync(); }
  }

  __device__ bulk_tile_load(transaction_barrier* landed, tile_runs<T const> const& runs,
                            tensor_range<T> tensor, resumed)
    : landed_{landed}, runs_{runs}, tensor_{tensor}
  {}

  /// Starts `rows` rows from row `row` on their way to `area`, as chunk number `chunk`. Chunks are
  /// started in order, each after the block is done with the one that had its stage.
  __device__ void start(int chunk, int row, int rows, T* area)
  {
    if (warp_index() != serving_warp(chunk)) { return; }
    transaction_barrier& landed = landed_[chunk % tile_stages];
    bool const here      = lane_index() < runs_.runs(rows) && rows > 0;
    int const count      = here ? runs_.count(rows) : 0;
    T const* const run   = runs_.run(here ? lane_index() : 0, row);
    T* const to          = area + runs_.place(lane_index(), row);
    run_cut const cut    = here ? cut_outwards(run, count, tensor_.begin, tensor_.end) : run_cut{};
    unsigned const bytes = cut.has_pieces() ? static_cast<unsigned>(cut.last - cut.first) *
                                                static_cast<unsigned>(sizeof(T))
                                            : 0;
    if (here) { copy_ends(to, run, count, cut, 0, 1); }
    unsigned const all = warp_sum(bytes);
    warp_sync();
    if (lane_index() == 0) { landed.arrive_and_expect(all); }
    if (bytes > 0) { bulk_load(to + cut.first, run + cut.first, bytes, landed); }
  }

  __device__ void skip() {}

  __device__ void wait(int chunk)
  {
    landed_[chunk % tile_stages].wait(static_cast<unsigned>(chunk / tile_stages) & 1u);
  }

 private:
  transaction_barrier* landed_;
  tile_runs<T const> runs_;
  tensor_range<T> tensor_;
};

/// Brings chunks in by 16-byte copies that all threads share out among them.
template <typename T, bool Async>
class shared_out_tile_load {
 public:
  __device__ shared_out_tile_load(transaction_barrier*, tile_runs<T const> const& runs,
                                  tensor_range<T> tensor)
    : runs_{runs}, tensor_{tensor}
  {}

  __device__ shared_out_tile_load(transaction_barrier*, tile_runs<T const> const& runs,
                                  tensor_range<T> tensor, resumed)
    : runs_{runs}, tensor_{tensor}
  {}

  __device__ void start(int, int row, int rows, T* area)
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const thread    = static_cast<int>(threadIdx.x);
    int const threads   = static_cast<int>(blockDim.x);
    int const count     = runs_.count(rows);
#pragma unroll 1
    for (int r = 0; r < runs_.runs(rows); ++r) {
      T const* const run  = runs_.run(r, row);
      T* const to         = area + runs_.place(r, row);
      run_cut const whole = cut_outwards(run, count, tensor_.begin, tensor_.end);
      copy_ends(to, run, count, whole, thread, threads);
      for (int e = whole.first + thread * piece; e < whole.last; e += threads * piece) {
        if constexpr (Async) {
          async_copy<copy_bytes>(to + e, run + e);
        } else {
          *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(run + e);
        }
      }
    }
    if constexpr (Async) { async_commit(); }
  }

  /// Instead of starting a chunk that is not there: waiting counts them.
  __device__ void skip()
  {
    if constexpr (Async) { async_commit(); }
  }

  /// Every thread of the block takes part.
  __device__ void wait(int)
  {
    if constexpr (Async) { async_wait<tile_stages - 1>(); }
    block_sync();
  }

 private:
  tile_runs<T const> runs_;
  tensor_range<T> tensor_;
};

DWCONV_ABI_NAMESPACE_END
