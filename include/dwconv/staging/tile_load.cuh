// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/integer.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/paced_runs.cuh>
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
  // Of one to four warps: a division by what is not known would take as long as the copies.
  int const warps = static_cast<int>(blockDim.x) / warp_lanes;
  if (warps == 1) { return 0; }
  int const turn = chunk - tile_stages;
  return chunk < tile_stages ? 0 : warps == 3 ? turn % 3 : turn & (warps - 1);
}

/// How the threads of a block share out a chunk's runs: a group of neighbouring threads takes a run
/// at a time.
struct run_share {
  int lane;    ///< Of this thread in its group,
  int lanes;   ///< which has so many.
  int first;   ///< The first run of the group,
  int groups;  ///< and how far it is from one to the next.

  [[nodiscard]] static __device__ run_share of(int runs)
  {
    int const thread  = static_cast<int>(threadIdx.x);
    int const threads = static_cast<int>(blockDim.x);
    if (runs <= 1) { return {thread, threads, 0, 1}; }
    // A power of two, so that nothing is divided.
    int const most     = floor_log2(static_cast<unsigned>(threads));
    int const halvings = min(floor_log2(static_cast<unsigned>(runs - 1)) + 1, most);
    int const log      = most - halvings;
    return {thread & ((1 << log) - 1), 1 << log, thread >> log, threads >> log};
  }
};

/// Says that another load of the block has set the barriers up.
struct resumed {};

/// Brings chunks in by the copy engine, each into a stage of its own: the first warp starts them, a
/// lane for each run, and everyone waits on the stage's barrier.
///
/// @tparam Together One lane starts all runs where they are alike. That takes less time and more
/// code.
template <typename T, bool Together = false>
class bulk_tile_load {
 public:
  /// `landed` are `tile_stages` barriers in shared memory, and one more for what else the block may
  /// bring. The block synchronises before it waits.
  __device__ bulk_tile_load(transaction_barrier* landed, tile_runs<T const> const& runs,
                            tensor_range<T> tensor)
    : bulk_tile_load{landed, runs, tensor, resumed{}}
  {
    if (threadIdx.x == 0) {
      for (int s = 0; s <= tile_stages; ++s) { landed_[s].init(1); }
      fence_barrier_init();
    }
    if (warp_index() == 0) { warp_sync(); }
  }

  __device__ bulk_tile_load(transaction_barrier* landed, tile_runs<T const> const& runs,
                            tensor_range<T> tensor, resumed)
    : landed_{landed}, runs_{runs}, tensor_{tensor}, run_{runs.run(lane_index(), 0)}
  {}

  /// Starts `rows` rows from row `row` on their way to `area`, as chunk number `chunk`. Chunks are
  /// started in order, each after the block is done with the one that had its stage.
  __device__ void start(int chunk, int row, int rows, T* area)
  {
    if (warp_index() != serving_warp(chunk)) { return; }
    transaction_barrier& landed = landed_[chunk % tile_stages];
    int const count             = runs_.count(rows);
    int const runs              = count > 0 ? runs_.runs(rows) : 0;
    if constexpr (!Together) {
      T const* const run = run_ + static_cast<std::int64_t>(row) * runs_.row_pitch;
      start_each(landed, run, row, runs, count, area);
    } else {
      T const* const first = runs_.run(0, row);
      int const past       = past_boundary(first);
      unsigned const bytes = bytes_of(round_up_to_copy(past + count));
      T const* from        = first - past;
      bool const inside =
        from >= tensor_.begin &&
        from + (runs - 1) * runs_.memory_stride + bytes / sizeof(T) <= tensor_.end;
      if (!runs_.alike() || !inside) {
        start_each(landed, runs_.run(lane_index(), row), row, runs, count, area);
      } else if (one_lane()) {
#pragma unroll 1
        for (int r = 0; r < runs; ++r) {
          bulk_load(area, from, bytes, landed);
          from += runs_.memory_stride;
          area += runs_.area_stride;
        }
        landed.arrive_and_expect(bytes * static_cast<unsigned>(runs));
      }
    }
  }

  /// The same for a chunk of which `paced` has the runs.
  __device__ void start(int chunk, paced_runs<T const> const& paced, T* area)
  {
    if (warp_index() != serving_warp(chunk)) { return; }
    if (!one_lane()) { return; }
    transaction_barrier& landed = landed_[chunk % tile_stages];
    T const* from               = paced.first_run(chunk);
#pragma unroll 1
    for (int r = 0; r < paced.runs; ++r) {
      bulk_load(area, from, paced.bytes, landed);
      from += runs_.memory_stride;
      area += runs_.area_stride;
    }
    landed.arrive_and_expect(paced.bytes * static_cast<unsigned>(paced.runs));
  }

  /// Chunks first to end - 1 have `rows` rows each, the first of them from row `row` on.
  [[nodiscard]] __device__ paced_runs<T const> pace(int row, int rows, int first, int end) const
  {
    return paced_input(runs_, row, rows, first, end, tensor_.begin, tensor_.end);
  }

  __device__ void skip() {}

  __device__ void wait(int chunk)
  {
    landed_[chunk % tile_stages].wait(static_cast<unsigned>(chunk / tile_stages) & 1u);
  }

 private:
  [[nodiscard]] static __device__ int round_up_to_copy(int elements)
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    return (elements + piece - 1) & ~(piece - 1);
  }

  [[nodiscard]] static __device__ unsigned bytes_of(int elements)
  {
    return static_cast<unsigned>(elements) * static_cast<unsigned>(sizeof(T));
  }

  /// The same, a lane for each run, where runs differ in how far they are past a boundary, or whole
  /// pieces may reach past the tensor's ends.
  __device__ void start_each(transaction_barrier& landed, T const* run, int row, int runs,
                             int count, T* area)
  {
    bool const here = lane_index() < runs;
    int const past  = past_boundary(run);
    T const* from   = run - past;
    T* to           = area + runs_.place(lane_index(), row) - past;
    int whole       = here ? round_up_to_copy(past + count) : 0;
    if (here && !(from >= tensor_.begin && from + whole <= tensor_.end)) {
      run_cut const cut = cut_outwards(run, count, tensor_.begin, tensor_.end);
      copy_ends(to + past, run, count, cut, 0, 1);
      from  = run + cut.first;
      to    = to + past + cut.first;
      whole = cut.has_pieces() ? cut.last - cut.first : 0;
    }
    unsigned const bytes = bytes_of(whole);
    unsigned const all   = warp_sum(bytes);
    warp_sync();
    if (lane_index() == 0) { landed.arrive_and_expect(all); }
    if (bytes > 0) { bulk_load(to, from, bytes, landed); }
  }

  transaction_barrier* landed_;
  tile_runs<T const> runs_;
  tensor_range<T> tensor_;
  T const* run_;  ///< Row 0 of this lane's.
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
    constexpr int piece   = copy_bytes / static_cast<int>(sizeof(T));
    run_share const share = run_share::of(runs_.runs(rows));
    int const count       = runs_.count(rows);
#pragma unroll 1
    for (int r = share.first; r < runs_.runs(rows); r += share.groups) {
      T const* const run  = runs_.run(r, row);
      T* const to         = area + runs_.place(r, row);
      run_cut const whole = cut_outwards(run, count, tensor_.begin, tensor_.end);
      copy_ends(to, run, count, whole, share.lane, share.lanes);
#pragma unroll 1
      for (int e = whole.first + share.lane * piece; e < whole.last; e += share.lanes * piece) {
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
