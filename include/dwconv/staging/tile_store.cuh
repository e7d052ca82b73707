// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_load.cuh>
#include <dwconv/staging/tile_position.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// A tile of y on its way out of shared memory: contiguous runs, one for whole planes, else one a
/// plane's strip, or one a row where rows are not whole.
template <typename T>
struct tile_target {
  T* y;
  tile_geometry const& g;
  tile_frame const& f;
  tile_position const& t;

  /// First output of plane `plane` of the tile (input plane times multiplier, counted from the
  /// tile's first).
  [[nodiscard]] __device__ T* first(int plane) const
  {
    std::int64_t const in_y = t.plane * f.multiplier + plane;
    return y + ((in_y * f.output_height + t.row) * f.output_width + t.column);
  }

  /// Where that output's result is kept: as far from a 16-byte boundary as in memory.
  [[nodiscard]] __device__ T* kept(T* area, int plane) const
  {
    return area + plane * g.output_plane + past_boundary(first(g.whole_planes ? 0 : plane));
  }

  [[nodiscard]] __device__ int planes() const { return t.planes * f.multiplier; }
  [[nodiscard]] __device__ int runs() const
  {
    return g.whole_planes ? 1 : g.whole_rows ? planes() : planes() * t.rows;
  }
  [[nodiscard]] __device__ int run_length() const
  {
    return g.whole_planes ? planes() * static_cast<int>(g.output_plane)
           : g.whole_rows ? t.rows * f.output_width
                          : t.columns;
  }

  /// One contiguous run: where it belongs in y, and where its results are kept.
  struct run {
    T* memory;
    T const* kept;
  };

  [[nodiscard]] __device__ run run_at(T* area, int index) const
  {
    if (g.whole_rows) { return {first(index), kept(area, index)}; }
    int const plane = index / t.rows;
    int const row   = index - plane * t.rows;
    return {first(plane) + static_cast<std::int64_t>(row) * f.output_width,
            kept(area, plane) + row * g.output_pitch};
  }
};

/// Writes a tile out by the copy engine; the block has synchronised after `fence_before_bulk`.
template <typename T>
__device__ void bulk_tile_store(tile_target<T> const& target, T* area)
{
  if (warp_index() != 0) { return; }
  int const runs     = target.runs();
  int const length   = target.run_length();
  bool const one_run = runs == 1;
  for (int r = one_run ? 0 : lane_index(); r < runs; r += warp_lanes) {
    auto const [memory, kept] = target.run_at(area, r);
    run_cut const whole       = cut_inwards(memory, length, copy_bytes);
    if (whole.has_pieces() && (!one_run || lane_index() == 0)) {
      bulk_store(
        memory + whole.first, kept + whole.first,
        static_cast<unsigned>(whole.last - whole.first) * static_cast<unsigned>(sizeof(T)));
    }
    copy_ends(memory, kept, length, whole, one_run ? lane_index() : 0, one_run ? warp_lanes : 1);
  }
  bulk_commit();
  bulk_wait_read<0>();  // the block's shared memory must outlive the copy
}

/// Writes a tile out through registers, 16 bytes at a time, shared out among all threads; the block
/// has synchronised.
template <typename T>
__device__ void vector_tile_store(tile_target<T> const& target, T* area)
{
  constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
  int const thread    = static_cast<int>(threadIdx.x);
  int const threads   = static_cast<int>(blockDim.x);
  for (int r = 0; r < target.runs(); ++r) {
    auto const [memory, kept] = target.run_at(area, r);
    run_cut const whole       = cut_inwards(memory, target.run_length(), copy_bytes);
    copy_ends(memory, kept, target.run_length(), whole, thread, threads);
    for (int e = whole.first + thread * piece; e < whole.last; e += threads * piece) {
      *reinterpret_cast<uint4*>(memory + e) = *reinterpret_cast<uint4 const*>(kept + e);
    }
  }
}

DWCONV_ABI_NAMESPACE_END
