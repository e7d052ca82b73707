// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_position.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The part of x under a tile, on its way into shared memory: a number of contiguous runs.
template <typename T>
struct tile_source {
  T const* begin;  ///< The tensor.
  T const* end;
  T const* first;  ///< The tile's first element.
  int runs;        ///< One where rows are whole, else one a row.
  int count;       ///< Elements of a run.
  int memory_pitch;
  int staged_pitch;

  __device__ tile_source(T const* x, tile_geometry const& g, tile_frame const& f,
                         tile_position const& t)
    : begin{x}, end{x + g.planes * f.input_height * f.input_width}
  {
    first        = x + ((t.plane * f.input_height + t.input_row) * f.input_width + t.input_column);
    runs         = g.whole_rows ? 1 : t.input_rows;
    count        = g.whole_rows ? ((t.planes - 1) * f.input_height + t.input_rows) * f.input_width
                                : t.input_columns;
    memory_pitch = f.input_width;
    staged_pitch = g.input_pitch;
  }

  /// Where the first element goes: as far from a 16-byte boundary as in memory.
  [[nodiscard]] __device__ T* staged(T* area, tile_geometry const& g) const
  {
    return area + g.input_slack + past_boundary(first);
  }
};

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

/// Brings a tile in by the copy engine: the first warp starts it, everyone waits on the barrier.
template <typename T>
class bulk_tile_load {
 public:
  static constexpr int arrivals = 1;

  __device__ bulk_tile_load(transaction_barrier& landed) : landed_{landed} {}

  __device__ void start(tile_source<T> const& source, T* staged)
  {
    if (warp_index() == 0) {
      if (lane_index() == 0) {
        landed_.init(arrivals);
        fence_barrier_init();
      }
      warp_sync();
      if (source.runs == 1) {
        start_one(source, staged);
      } else {
        start_rows(source, staged);
      }
    }
    block_sync();  // nobody waits on a barrier that is not set up
  }

  __device__ void wait() { landed_.wait(0); }

 private:
  [[nodiscard]] static __device__ unsigned bytes_of(run_cut cut)
  {
    return cut.has_pieces()
             ? static_cast<unsigned>(cut.last - cut.first) * static_cast<unsigned>(sizeof(T))
             : 0;
  }

  __device__ void move(T* to, T const* run, run_cut cut)
  {
    if (cut.has_pieces()) { bulk_load(to + cut.first, run + cut.first, bytes_of(cut), landed_); }
  }

  __device__ void start_one(tile_source<T> const& source, T* staged)
  {
    run_cut const cut = cut_outwards(source.first, source.count, source.begin, source.end);
    copy_ends(staged, source.first, source.count, cut, lane_index(), warp_lanes);
    warp_sync();
    if (lane_index() == 0) {
      landed_.arrive_and_expect(bytes_of(cut));
      move(staged, source.first, cut);
    }
  }

  __device__ void start_rows(tile_source<T> const& source, T* staged)
  {
    auto const row_at = [&](int r) {
      return source.first + static_cast<std::int64_t>(r) * source.memory_pitch;
    };
    auto const cut_of = [&](int r) {
      return cut_outwards(row_at(r), source.count, source.begin, source.end);
    };
    unsigned bytes = 0;
    for (int r = lane_index(); r < source.runs; r += warp_lanes) {
      bytes += bytes_of(cut_of(r));
      copy_ends(staged + r * source.staged_pitch, row_at(r), source.count, cut_of(r), 0, 1);
    }
    for (int mask = warp_lanes / 2; mask > 0; mask /= 2) { bytes += shuffle_xor(bytes, mask); }
    warp_sync();
    if (lane_index() == 0) { landed_.arrive_and_expect(bytes); }
    for (int r = lane_index(); r < source.runs; r += warp_lanes) {
      move(staged + r * source.staged_pitch, row_at(r), cut_of(r));
    }
  }

  transaction_barrier& landed_;
};

/// Brings a tile in by 16-byte copies that all threads share out among them.
template <typename T, bool Async>
class shared_out_tile_load {
 public:
  __device__ shared_out_tile_load(transaction_barrier&) {}

  __device__ void start(tile_source<T> const& source, T* staged)
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const thread    = static_cast<int>(threadIdx.x);
    int const threads   = static_cast<int>(blockDim.x);
    for (int r = 0; r < source.runs; ++r) {
      T const* const run  = source.first + static_cast<std::int64_t>(r) * source.memory_pitch;
      T* const to         = staged + r * source.staged_pitch;
      run_cut const whole = cut_outwards(run, source.count, source.begin, source.end);
      copy_ends(to, run, source.count, whole, thread, threads);
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

  /// Every thread of the block takes part.
  __device__ void wait()
  {
    if constexpr (Async) { async_wait<0>(); }
    block_sync();
  }
};

DWCONV_ABI_NAMESPACE_END
