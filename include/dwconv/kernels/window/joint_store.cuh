// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/window/filter_feed.cuh>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/tile_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Writes the rows of dx that took the place of a chunk's x to memory, before another chunk takes
/// their stage.
template <typename T, mover How>
class window_joint_store {
 public:
  template <typename Params>
  __device__ window_joint_store(Params const& p, window_filter_share const& s)
    : first_{s.image * p.of_x.image + s.x_channel * p.of_x.plane + s.x_column},
      fixed_{p.whole_planes ? (s.x_channels - 1) * static_cast<int>(p.of_x.plane) : 0}
  {}

  /// Before the block synchronises: what the threads wrote becomes visible to the copy engine.
  static __device__ void finish()
  {
    if constexpr (How == mover::bulk) { fence_before_bulk(); }
  }

  /// Once the block has synchronised: starts to write `rows` rows from `row` on of `images` images,
  /// from their stage of x; warp number `server` does, or all threads do.
  template <typename Params>
  __device__ void start(Params const& p, window_filter_share const& s, T const* area, int row,
                        int rows, int images, int server) const
  {
    if (rows == 0) { return; }
    int const runs  = p.whole_rows ? min(p.images, images) : rows;
    int const count = p.whole_rows ? rows * p.of_x.width + fixed_ : s.x_columns;
    if (!p.alike) {
      for (int r = 0; r < runs; ++r) {
        run const of = find(p, area, row, r);
#pragma unroll 1
        for (int e = static_cast<int>(threadIdx.x); e < count; e += static_cast<int>(blockDim.x)) {
          of.to[e] = of.from[e];
        }
      }
    } else if constexpr (How == mover::bulk) {
      if (warp_index() != server) { return; }
      if (lane_index() < runs) {
        run const of        = find(p, area, row, lane_index());
        run_cut const whole = cut_inwards(of.to, count, copy_bytes);
        if (whole.has_pieces()) {
          bulk_store(
            of.to + whole.first, of.from + whole.first,
            static_cast<unsigned>(whole.last - whole.first) * static_cast<unsigned>(sizeof(T)));
        }
        copy_ends(of.to, of.from, count, whole, 0, 1);
      }
      bulk_commit();
    } else {
      constexpr int piece   = copy_bytes / static_cast<int>(sizeof(T));
      run_share const share = run_share::of(runs);
#pragma unroll 1
      for (int r = share.first; r < runs; r += share.groups) {
        run const of        = find(p, area, row, r);
        run_cut const whole = cut_inwards(of.to, count, copy_bytes);
        copy_ends(of.to, of.from, count, whole, share.lane, share.lanes);
#pragma unroll 1
        for (int e = whole.first + share.lane * piece; e < whole.last; e += share.lanes * piece) {
          *reinterpret_cast<uint4*>(of.to + e) = *reinterpret_cast<uint4 const*>(of.from + e);
        }
      }
    }
  }

  /// Before a stage that was written out is filled again, by its server at least, and before the
  /// block ends.
  static __device__ void drain()
  {
    if constexpr (How == mover::bulk) { bulk_wait_read<0>(); }
  }

  /// Goes on to the next images.
  template <typename Params>
  __device__ void advance(Params const& p)
  {
    first_ += p.images * p.of_x.image;
  }

 private:
  struct run {
    T* to;
    T const* from;
  };

  /// Where run number `r` goes, and where it lies: as far past a boundary as x.
  template <typename Params>
  [[nodiscard]] __device__ run find(Params const& p, T const* area, int row, int r) const
  {
    std::int64_t const top = first_ + static_cast<std::int64_t>(row) * p.of_x.width;
    std::int64_t const at =
      top + r * (p.whole_rows ? p.of_x.image : static_cast<std::int64_t>(p.of_x.width));
    int const past = past_boundary(p.x + (p.whole_rows ? at : top));
    return {p.dx + at, area + r * (p.whole_rows ? p.of_x.run : p.of_x.pitch) + past};
  }

  std::int64_t first_;  ///< Of the elements of dx, row 0 of the first run of the images at hand.
  int fixed_;           ///< Elements of a run besides those of its rows.
};

DWCONV_ABI_NAMESPACE_END
