// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/params.hpp>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The contiguous runs of memory that a tile is made of: `outer` times `inner` of them.
struct toeplitz_runs {
  int outer;
  int inner;
  int count;                  ///< Elements of a run.
  std::int64_t memory_outer;  ///< From one run to the next, in memory and in shared memory.
  int memory_inner;
  int shared_outer;
  int shared_inner;

  /// Where one run lies, counted from the first.
  struct offset {
    std::int64_t memory;
    int shared;
  };

  [[nodiscard]] __device__ int total() const { return outer * inner; }
  [[nodiscard]] __device__ offset at(int run) const
  {
    offset o{};
    if (inner == 1) { return {run * memory_outer, run * shared_outer}; }
    // Subtracted, not divided: there are few outer ones where there are several inner ones.
#pragma unroll 1
    for (; run >= inner; run -= inner) {
      o.memory += memory_outer;
      o.shared += shared_outer;
    }
    o.memory += static_cast<std::int64_t>(run) * memory_inner;
    o.shared += run * shared_inner;
    return o;
  }

  /// Every run begins and ends where a whole piece does.
  template <typename T>
  [[nodiscard]] __device__ bool in_pieces(T const* memory) const
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const steps     = (outer > 1 ? static_cast<int>(memory_outer % piece) : 0) |
                      (inner > 1 ? memory_inner % piece : 0);
    return (past_boundary(memory) | count % piece | steps) == 0;
  }
};

/// A tile of x: an image's channels are one run, as is a strip; a window of columns is a run a row.
[[nodiscard]] __device__ inline toeplitz_runs toeplitz_input_runs(toeplitz_layout const& g,
                                                                  toeplitz_grid const& n,
                                                                  tile_frame const& f,
                                                                  toeplitz_position const& t)
{
  std::int64_t const plane = static_cast<std::int64_t>(f.input_height) * f.input_width;
  return {.outer        = t.images,
          .inner        = g.whole_rows ? 1 : t.input_rows,
          .count        = g.whole_planes ? t.channels * g.plane_pitch
                          : g.whole_rows ? t.input_rows * g.row_pitch
                                         : t.input_columns,
          .memory_outer = n.channels * plane,
          .memory_inner = f.input_width,
          .shared_outer = g.image_pitch,
          .shared_inner = g.row_pitch};
}

/// A tile of y: as of x, but strips of the several output channels of an input channel are apart.
[[nodiscard]] __device__ inline toeplitz_runs toeplitz_output_runs(toeplitz_layout const& g,
                                                                   toeplitz_grid const& n,
                                                                   tile_frame const& f,
                                                                   toeplitz_position const& t)
{
  std::int64_t const plane = static_cast<std::int64_t>(f.output_height) * f.output_width;
  return {.outer        = g.whole_planes ? t.images : f.multiplier,
          .inner        = g.whole_rows ? 1 : t.rows,
          .count        = g.whole_planes ? t.channels * f.multiplier * g.kept_plane
                          : g.whole_rows ? t.rows * g.kept_row
                                         : t.columns,
          .memory_outer = g.whole_planes ? n.channels * f.multiplier * plane : plane,
          .memory_inner = f.output_width,
          .shared_outer = g.whole_planes ? g.kept_image : g.kept_plane,
          .shared_inner = g.kept_row};
}

/// How runs are dealt out among the threads that start their copies. A warp's lanes start theirs
/// one after the other, so all warps take part where there are several.
struct toeplitz_dealt {
  int warps;  ///< That take part.
  int first;  ///< Run of this thread.
  int step;

  [[nodiscard]] static __device__ toeplitz_dealt of(int runs)
  {
    int const warps = runs == 1 ? 1 : static_cast<int>(blockDim.x) / warp_lanes;
    return {warps, warp_index() + warps * lane_index(), warps * warp_lanes};
  }
};

/// Brings the runs of a tile into shared memory. `start` may be followed by other work; then the
/// block synchronises, and every thread waits.
template <typename T, mover How>
class toeplitz_load {
 public:
  /// Where `passing`, what is read does not take the place of what others left in L2.
  __device__ toeplitz_load(transaction_barrier& landed, T const* begin, T const* end, bool passing)
    : landed_{landed}, begin_{begin}, end_{end}, passing_{passing}
  {}

  __device__ void start(toeplitz_runs const& runs, T const* memory, T* shared)
  {
    if constexpr (How == mover::bulk) {
      start_bulk(runs, memory, shared);
    } else {
      start_async(runs, memory, shared);
    }
  }

  /// Before the block synchronises.
  __device__ void settle()
  {
    if constexpr (How == mover::async) { async_wait<0>(); }
  }

  /// After it.
  __device__ void wait()
  {
    if constexpr (How == mover::bulk) { landed_.wait(0); }
  }

 private:
  static constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));

  [[nodiscard]] __device__ run_cut cut_of(T const* run, int count) const
  {
    return cut_outwards(run, count, begin_, end_);
  }

  /// What whole pieces would reach past the tensor's ends for.
  __device__ void copy_ends(T* to, T const* from, int count, run_cut cut)
  {
    int const head = cut.has_pieces() ? cut.first : count;
    int const tail = cut.has_pieces() ? cut.last : count;
#pragma unroll 1
    for (int e = 0; e < head; ++e) { to[e] = from[e]; }
#pragma unroll 1
    for (int e = tail; e < count; ++e) { to[e] = from[e]; }
  }

  __device__ void start_bulk(toeplitz_runs const& runs, T const* memory, T* shared)
  {
    toeplitz_dealt const dealt = toeplitz_dealt::of(runs.total());
    if (threadIdx.x == 0) {
      landed_.init(static_cast<unsigned>(max(runs.total(), 1)));
      fence_barrier_init();
    }
    // A lone warp's first lane uses what it initialised itself. But the compiler lets all lanes
    // agree on one that does, and racecheck, which takes the last one for it, wants to see them
    // meet.
    dealt.warps > 1 ? block_sync() : warp_sync();
    // A tile that sees only padding stages nothing.
    if (runs.total() == 0 && threadIdx.x == 0) { landed_.arrive(); }
    if (warp_index() >= dealt.warps) { return; }
#pragma unroll 1
    for (int r = dealt.first; r < runs.total(); r += dealt.step) {
      auto const run       = runs.at(r);
      T const* const from  = memory + run.memory;
      run_cut const cut    = cut_of(from, runs.count);
      unsigned const bytes = cut.has_pieces() ? static_cast<unsigned>(cut.last - cut.first) *
                                                  static_cast<unsigned>(sizeof(T))
                                              : 0;
      copy_ends(shared + run.shared, from, runs.count, cut);
      landed_.arrive_and_expect(bytes);
      if (bytes > 0 && passing_) {
        bulk_load_passing(shared + run.shared + cut.first, from + cut.first, bytes, landed_);
      } else if (bytes > 0) {
        bulk_load(shared + run.shared + cut.first, from + cut.first, bytes, landed_);
      }
    }
  }

  /// Runs are dealt out to warps where there are many, and pieces to threads where there is one.
  __device__ void start_async(toeplitz_runs const& runs, T const* memory, T* shared)
  {
    bool const one   = runs.total() == 1;
    int const warps  = static_cast<int>(blockDim.x) / warp_lanes;
    int const thread = one ? static_cast<int>(threadIdx.x) : lane_index();
    int const step   = one ? static_cast<int>(blockDim.x) : warp_lanes;
#pragma unroll 1
    for (int r = one ? 0 : warp_index(); r < runs.total(); r += one ? 1 : warps) {
      auto const run      = runs.at(r);
      T const* const from = memory + run.memory;
      T* const to         = shared + run.shared;
      run_cut const cut   = cut_of(from, runs.count);
      if (thread == 0) { copy_ends(to, from, runs.count, cut); }
      for (int e = cut.first + thread * piece; e < cut.last; e += step * piece) {
        if constexpr (How == mover::async) {
          async_copy<copy_bytes>(to + e, from + e);
        } else {
          *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(from + e);
        }
      }
    }
    if constexpr (How == mover::async) { async_commit(); }
  }

  transaction_barrier& landed_;
  T const* begin_;
  T const* end_;
  bool passing_;
};

/// Writes the runs of a tile out of shared memory; the block has synchronised, after
/// `fence_before_bulk` where the copy engine does it.
template <mover How, typename T>
__device__ void toeplitz_store(toeplitz_runs const& runs, T* memory, T const* shared)
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  int const thread    = static_cast<int>(threadIdx.x);
  int const threads   = static_cast<int>(blockDim.x);
  if constexpr (How == mover::bulk) {
    toeplitz_dealt const dealt = toeplitz_dealt::of(runs.total());
    if (warp_index() < dealt.warps) {
#pragma unroll 1
      for (int r = dealt.first; r < runs.total(); r += dealt.step) {
        auto const run    = runs.at(r);
        T* const to       = memory + run.memory;
        run_cut const cut = cut_inwards(to, runs.count, copy_bytes);
        if (cut.has_pieces()) {
          bulk_store(
            to + cut.first, shared + run.shared + cut.first,
            static_cast<unsigned>(cut.last - cut.first) * static_cast<unsigned>(sizeof(T)));
        }
      }
      bulk_commit();
    }
  } else {
    bool const one  = runs.total() == 1;
    int const warps = threads / warp_lanes;
    int const first = one ? thread : lane_index();
    int const step  = one ? threads : warp_lanes;
#pragma unroll 1
    for (int r = one ? 0 : warp_index(); r < runs.total(); r += one ? 1 : warps) {
      auto const run      = runs.at(r);
      T* const to         = memory + run.memory;
      T const* const from = shared + run.shared;
      run_cut const cut   = cut_inwards(to, runs.count, copy_bytes);
      for (int e = cut.first + first * piece; e < cut.last; e += step * piece) {
        *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(from + e);
      }
    }
  }
  // Up to seven elements before and after the pieces; a run without pieces is shorter than two.
  constexpr int ends = 2 * piece;
#pragma unroll 1
  for (int i = runs.in_pieces(memory) ? runs.total() * ends : thread; i < runs.total() * ends;
       i += threads) {
    auto const run    = runs.at(i / ends);
    int const e       = i % ends;
    T* const to       = memory + run.memory;
    run_cut const cut = cut_inwards(to, runs.count, copy_bytes);
    int const at      = !cut.has_pieces() ? e : e < piece ? e : cut.last + e - piece;
    bool const is_end = !cut.has_pieces() || (e < piece ? e < cut.first : true);
    if (is_end && at < runs.count) { to[at] = shared[run.shared + at]; }
  }
  if constexpr (How == mover::bulk) {
    bulk_wait_read<0>();  // shared memory must outlive the copies
  }
}

DWCONV_ABI_NAMESPACE_END
