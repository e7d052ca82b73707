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
///
/// @tparam Together As of `bulk_tile_load`.
template <typename T, bool Together = false>
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
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const count     = runs.count(rows);
    int const all       = count > 0 ? runs.runs(rows) : 0;
    if (Together && runs.alike() && past_boundary(runs.run(0, row)) == 0 && count % piece == 0) {
      if (!one_lane()) { return; }
      T* run           = runs.run(0, row);
      auto const bytes = static_cast<unsigned>(count) * static_cast<unsigned>(sizeof(T));
#pragma unroll 1
      for (int r = 0; r < all; ++r) {
        bulk_store(run, area, bytes);
        run += runs.memory_stride;
        area += runs.area_stride;
      }
    } else if (lane_index() < all) {
      // A lane for each run, which may begin and end within a piece.
      T* const run        = runs.run(lane_index(), row);
      T const* const kept = area + runs.place(lane_index(), row);
      run_cut const cut   = cut_inwards(run, count, copy_bytes);
      if (cut.has_pieces()) {
        bulk_store(run + cut.first, kept + cut.first,
                   static_cast<unsigned>(cut.last - cut.first) * static_cast<unsigned>(sizeof(T)));
      }
      copy_ends(run, kept, count, cut, 0, 1);
    }
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

  /// Before the block ends: its shared memory must outlive the copies.
  static __device__ void drain()
  {
    bulk_wait_read<0>();
  }
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

  static __device__ void drain() {}
};

DWCONV_ABI_NAMESPACE_END
