// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_load.cuh>
#include <dwconv/staging/tile_runs.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Writes chunks out by the copy engine, started by the first warp.
template <typename T>
struct bulk_tile_store {
  /// Before the block synchronises: what the threads wrote to the area becomes visible to the copy
  /// engine, and after it the area of the chunk before may be written again.
  static __device__ void finish()
  {
    bulk_wait_read<0>();
    fence_before_bulk();
  }

  /// After the block has synchronised.
  static __device__ void start(int chunk, tile_runs<T> const& runs, int row, int rows,
                               T const* area)
  {
    if (warp_index() != serving_warp(chunk + tile_stages)) { return; }
    int const count      = runs.count(rows);
    int const all        = count > 0 ? runs.runs(rows) : 0;
    T* run               = runs.run(0, row);
    run_cut const first  = cut_inwards(run, count, copy_bytes);
    bool const alike     = runs.alike();
    bool const whole     = alike && first.first == 0 && first.last == count;
    if (!whole && lane_index() < all) {
      T* const own = runs.run(lane_index(), row);
      copy_ends(own, area + runs.place(lane_index(), row), count,
                cut_inwards(own, count, copy_bytes), 0, 1);
    }
    warp_sync();
    if (!one_lane()) { return; }
    if (alike && first.has_pieces()) {
      auto const bytes =
        static_cast<unsigned>(first.last - first.first) * static_cast<unsigned>(sizeof(T));
      T const* kept = area + past_boundary(run) + first.first;
      run += first.first;
#pragma unroll 1
      for (int r = 0; r < all; ++r) {
        bulk_store(run, kept, bytes);
        run += runs.memory_stride;
        kept += runs.area_stride;
      }
    }
    if (!alike) { start_each(runs, row, all, count, area); }
    bulk_commit();
  }

  /// The same for a chunk of which `paced` has the runs.
  static __device__ void start(int chunk, tile_runs<T> const& runs, paced_runs<T> const& paced,
                               T const* area)
  {
    if (warp_index() != serving_warp(chunk + tile_stages)) { return; }
    if (!one_lane()) { return; }
    T* run = paced.first_run(chunk);
#pragma unroll 1
    for (int r = 0; r < paced.runs; ++r) {
      bulk_store(run, area, paced.bytes);
      run += runs.memory_stride;
      area += runs.area_stride;
    }
    bulk_commit();
  }

  /// As `bulk_tile_load::pace`.
  [[nodiscard]] static __device__ paced_runs<T> pace(tile_runs<T> const& runs, int row, int rows,
                                                     int first, int end)
  {
    return paced_output(runs, row, rows, first, end);
  }

  /// The pieces of runs that differ in how far they are past a boundary.
  static __device__ void start_each(tile_runs<T> const& runs, int row, int all, int count,
                                    T const* area)
  {
    T* run               = runs.run(0, row);
    int const first_past = past_boundary(run);
    T const* kept        = area;
#pragma unroll 1
    for (int r = 0; r < all; ++r) {
      run_cut const whole = cut_inwards(run, count, copy_bytes);
      int const past      = runs.fixed_runs > 0 ? past_boundary(run) : first_past;
      if (whole.has_pieces()) {
        bulk_store(
          run + whole.first, kept + past + whole.first,
          static_cast<unsigned>(whole.last - whole.first) * static_cast<unsigned>(sizeof(T)));
      }
      run += runs.memory_stride;
      kept += runs.area_stride;
    }
  }

  /// Before the block ends: its shared memory must outlive the copies.
  static __device__ void drain() { bulk_wait_read<0>(); }
};

/// Writes chunks out through registers, 16 bytes at a time, shared out among all threads.
template <typename T>
struct vector_tile_store {
  static __device__ void finish() {}

  static __device__ void start(int, tile_runs<T> const& runs, int row, int rows, T const* area)
  {
    constexpr int piece   = copy_bytes / static_cast<int>(sizeof(T));
    run_share const share = run_share::of(runs.runs(rows));
    int const count       = runs.count(rows);
#pragma unroll 1
    for (int r = share.first; r < runs.runs(rows); r += share.groups) {
      T* const run        = runs.run(r, row);
      T const* const kept = area + runs.place(r, row);
      run_cut const whole = cut_inwards(run, count, copy_bytes);
      copy_ends(run, kept, count, whole, share.lane, share.lanes);
#pragma unroll 1
      for (int e = whole.first + share.lane * piece; e < whole.last; e += share.lanes * piece) {
        *reinterpret_cast<uint4*>(run + e) = *reinterpret_cast<uint4 const*>(kept + e);
      }
    }
  }

  [[nodiscard]] static __device__ paced_runs<T> pace(tile_runs<T> const&, int, int, int, int)
  {
    return {};
  }
  static __device__ void start(int, tile_runs<T> const&, paced_runs<T> const&, T const*) {}

  static __device__ void drain() {}
};

DWCONV_ABI_NAMESPACE_END
