// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/tile_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Rows of one tensor on their way to an area of shared memory.
template <typename T>
struct moved_rows {
  tile_runs<T const> runs;
  int row;
  int rows;
  T* area;
  tensor_range<T> tensor;
};

/// Brings chunks of two tensors in, each chunk into a stage of its own: by the copy engine, started
/// by one warp, a lane for each run; or by copies that all threads share out among them.
template <mover How>
class pair_load {
 public:
  /// `landed` are `tile_stages` barriers in shared memory. The block synchronises before it waits.
  __device__ explicit pair_load(transaction_barrier* landed) : landed_{landed}
  {
    if constexpr (How == mover::bulk) {
      if (threadIdx.x == 0) {
        for (int s = 0; s < tile_stages; ++s) { landed_[s].init(1); }
        fence_barrier_init();
      }
      if (warp_index() == 0) { warp_sync(); }
    }
  }

  /// Starts chunk number `chunk`. Chunks are started in order, each after the block is done with
  /// the one that had its stage.
  template <typename T>
  __device__ void start(int chunk, moved_rows<T> const& a, moved_rows<T> const& b)
  {
    if constexpr (How == mover::bulk) {
      if (warp_index() != serving_warp(chunk)) { return; }
      transaction_barrier& landed = landed_[chunk % tile_stages];
      lane_run<T> const of_a{a}, of_b{b};
      unsigned const all = warp_sum(of_a.bytes + of_b.bytes);
      warp_sync();
      if (lane_index() == 0) { landed.arrive_and_expect(all); }
      of_a.load(landed);
      of_b.load(landed);
    } else {
      share_out(a);
      share_out(b);
      if constexpr (How == mover::async) { async_commit(); }
    }
  }

  /// Instead of starting a chunk that is not there: waiting counts them.
  __device__ void skip()
  {
    if constexpr (How == mover::async) { async_commit(); }
  }

  /// Every thread of the block takes part.
  __device__ void wait(int chunk)
  {
    if constexpr (How == mover::bulk) {
      landed_[chunk % tile_stages].wait(static_cast<unsigned>(chunk / tile_stages) & 1u);
    } else {
      if constexpr (How == mover::async) { async_wait<tile_stages - 1>(); }
      block_sync();
    }
  }

 private:
  /// A lane's run, its ends copied.
  template <typename T>
  struct lane_run {
    T* to            = nullptr;
    T const* from    = nullptr;
    unsigned bytes   = 0;

    __device__ explicit lane_run(moved_rows<T> const& m)
    {
      if (m.rows <= 0 || lane_index() >= m.runs.runs(m.rows)) { return; }
      int const count    = m.runs.count(m.rows);
      T const* const run = m.runs.run(lane_index(), m.row);
      T* const area      = m.area + m.runs.place(lane_index(), m.row);
      run_cut const cut  = cut_outwards(run, count, m.tensor.begin, m.tensor.end);
      copy_ends(area, run, count, cut, 0, 1);
      if (!cut.has_pieces()) { return; }
      to    = area + cut.first;
      from  = run + cut.first;
      bytes = static_cast<unsigned>(cut.last - cut.first) * static_cast<unsigned>(sizeof(T));
    }

    __device__ void load(transaction_barrier& landed) const
    {
      if (bytes > 0) { bulk_load(to, from, bytes, landed); }
    }
  };

  template <typename T>
  __device__ void share_out(moved_rows<T> const& m)
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const thread    = static_cast<int>(threadIdx.x);
    int const threads   = static_cast<int>(blockDim.x);
    int const count     = m.runs.count(m.rows);
    int const runs      = m.rows > 0 ? m.runs.runs(m.rows) : 0;
#pragma unroll 1
    for (int r = 0; r < runs; ++r) {
      T const* const run = m.runs.run(r, m.row);
      T* const to        = m.area + m.runs.place(r, m.row);
      run_cut const cut  = cut_outwards(run, count, m.tensor.begin, m.tensor.end);
      copy_ends(to, run, count, cut, thread, threads);
      for (int e = cut.first + thread * piece; e < cut.last; e += threads * piece) {
        if constexpr (How == mover::async) {
          async_copy<copy_bytes>(to + e, run + e);
        } else {
          *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(run + e);
        }
      }
    }
  }

  transaction_barrier* landed_;
};

DWCONV_ABI_NAMESPACE_END
