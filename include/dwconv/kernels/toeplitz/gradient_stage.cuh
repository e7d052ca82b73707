// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/gradient_params.hpp>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// One tensor's part of a chunk: contiguous runs of memory, the rows of an image or single rows.
template <typename T>
struct gradient_runs {
  T const* first;
  std::int64_t stride;  ///< From one run to the next.
  int runs;
  int count;    ///< Elements of a run,
  int columns;  ///< and of each row of it.
  int blocks;   ///< Of each row.
  int images;
  int rows;

  /// @param block  First block of the rows that is staged,
  /// @param blocks so many of them.
  [[nodiscard]] static __device__ gradient_runs of(gradient_tensor<T> const& t, bool whole_rows,
                                                   int channel, gradient_chunk const& c, int row,
                                                   int rows, int block, int blocks)
  {
    gradient_runs r{};
    std::int64_t const plane =
      static_cast<std::int64_t>(c.image) * t.channels + channel;
    r.first   = t.data + ((plane * t.height + row) * t.width + block * gradient_block);
    r.columns = min(blocks * gradient_block, t.width - block * gradient_block);
    r.blocks  = blocks;
    r.images  = c.images;
    r.rows    = rows;
    r.runs    = rows == 0 || blocks <= 0 ? 0 : whole_rows ? c.images : rows;
    r.count   = whole_rows ? rows * t.width : r.columns;
    r.stride  = whole_rows ? static_cast<std::int64_t>(t.channels) * t.height * t.width : t.width;
    return r;
  }

  /// How far past a 16-byte boundary run `index` begins, in elements.
  [[nodiscard]] __device__ int past(int index) const
  {
    return (past_boundary(first) + index * static_cast<int>(stride % gradient_block)) %
           gradient_block;
  }
};

/// The first block of x that is staged with block `block` of dy.
template <typename T>
[[nodiscard]] __device__ int first_staged_block(toeplitz_gradient_params<T> const& p,
                                                gradient_item const& item, int block)
{
  return p.policy.whole_rows ? 0 : min(max(block + item.first_block, 0), p.x.blocks);
}

/// The runs of one of the tensors.
template <typename T>
[[nodiscard]] __device__ gradient_runs<T> gradient_runs_of(toeplitz_gradient_params<T> const& p,
                                                           gradient_item const& item,
                                                           gradient_chunk const& c, bool of_x)
{
  bool const whole  = p.policy.whole_rows;
  int const x_block = first_staged_block(p, item, c.block);
  int const x_end   = c.block + item.first_block + (p.policy.blocks + p.policy.halves - 1);
  int const block   = of_x ? x_block : c.block;
  int const all     = of_x ? p.x.blocks : p.dy.blocks;
  int const end     = whole ? all : min(all, of_x ? x_end : c.block + p.policy.blocks);
  return gradient_runs<T>::of(of_x ? p.x : p.dy, whole, of_x ? item.input : item.channel, c,
                              of_x ? c.x_row : c.dy_row, of_x ? c.x_rows : c.dy_rows, block,
                              end - block);
}

/// Brings chunks into a warp's own areas of shared memory, several on their way at a time.
template <typename T, mover How>
class gradient_load {
 public:
  /// @param landed A barrier an area.
  __device__ gradient_load(toeplitz_gradient_params<T> const& p, transaction_barrier* landed)
    : p_{p}, landed_{landed}
  {}

  /// Once, before all else.
  __device__ void prepare()
  {
    if constexpr (How == mover::bulk) {
      if (lane_index() == 0) {
        for (int i = 0; i < gradient_layout::areas; ++i) { landed_[i].init(1); }
        fence_barrier_init();
      }
    }
    warp_sync();
  }

  /// Starts a chunk on its way into area number `index`, which no lane reads any more.
  __device__ void start(int index, unsigned char* area, gradient_item const& item,
                        gradient_chunk const& c)
  {
    if constexpr (How == mover::bulk) {
      start_bulk(landed_[index], area, item, c);
    } else {
      share_out(gradient_runs_of(p_, item, c, true), p_.x, area);
      share_out(gradient_runs_of(p_, item, c, false), p_.dy, area);
      if constexpr (How == mover::async) { async_commit(); }
    }
  }

  /// Instead of starting a chunk that is not there: waiting counts them.
  __device__ void skip()
  {
    if constexpr (How == mover::async) { async_commit(); }
  }

  /// @param phase   How often the area was waited for before.
  /// @param younger Chunks that were started, or skipped, since.
  __device__ void wait(int index, unsigned phase, int younger)
  {
    if constexpr (How == mover::bulk) { landed_[index].wait(phase & 1u); }
    if constexpr (How == mover::async) {
      if (younger == 1) {
        async_wait<1>();
      } else {
        async_wait<2>();
      }
    }
    warp_sync();
  }

 private:
  [[nodiscard]] __device__ static run_cut cut_of(gradient_tensor<T> const& t, T const* run,
                                                 int count)
  {
    return cut_outwards(run, count, t.data, t.data + t.elements);
  }

  [[nodiscard]] __device__ static T* place(gradient_tensor<T> const& t,
                                           gradient_runs<T> const& from, unsigned char* area,
                                           int run)
  {
    return reinterpret_cast<T*>(area + (t.area_begin + run * t.area.run_pitch * copy_bytes)) +
           from.past(run);
  }

  /// A run a lane: first those of x, in the first half of the warp, then those of dy.
  __device__ void start_bulk(transaction_barrier& landed, unsigned char* area,
                             gradient_item const& item, gradient_chunk const& c)
  {
    int const run   = lane_index() % gradient_runs_most;
    bool const of_x = lane_index() < gradient_runs_most;
    auto const& t   = of_x ? p_.x : p_.dy;
    auto const from = gradient_runs_of(p_, item, c, of_x);
    bool const here = run < from.runs;
    T const* begin  = from.first + (here ? run : 0) * from.stride;
    T* const to     = place(t, from, area, run);
    run_cut const cut = here ? cut_of(t, begin, from.count) : run_cut{};
    if (here) { copy_ends(to, begin, from.count, cut, 0, 1); }
    unsigned const bytes =
      cut.has_pieces()
        ? static_cast<unsigned>(cut.last - cut.first) * static_cast<unsigned>(sizeof(T))
        : 0;
    unsigned const all = warp_sum(bytes);
    warp_sync();
    if (lane_index() == 0) { landed.arrive_and_expect(all); }
    warp_sync();
    if (bytes > 0) { bulk_load(to + cut.first, begin + cut.first, bytes, landed); }
  }

  /// Pieces of each run in turn, shared out among the lanes.
  __device__ void share_out(gradient_runs<T> const& from, gradient_tensor<T> const& t,
                            unsigned char* area)
  {
#pragma unroll 1
    for (int r = 0; r < from.runs; ++r) {
      T const* const run = from.first + r * from.stride;
      T* const to        = place(t, from, area, r);
      run_cut const cut  = cut_of(t, run, from.count);
      copy_ends(to, run, from.count, cut, lane_index(), warp_lanes);
      for (int e = cut.first + lane_index() * gradient_block; e < cut.last;
           e += warp_lanes * gradient_block) {
        if constexpr (How == mover::async) {
          async_copy<copy_bytes>(to + e, run + e);
        } else {
          *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(run + e);
        }
      }
    }
  }

  toeplitz_gradient_params<T> const& p_;
  transaction_barrier* landed_;
};

/// Lays a tensor's part of a chunk out: each row begins with a piece, and ends with zeros where it
/// does not fill its last one.
template <typename T>
__device__ void lay_out_rows(gradient_runs<T> const& from, gradient_tensor<T> const& t,
                             bool whole_rows, unsigned char const* copied, unsigned char* laid_out)
{
  if (from.runs == 0) { return; }
  int const pieces = from.images * t.image_pieces.divisor();
  int const start  = past_boundary(from.first);
  int const shift  = static_cast<int>(from.stride % gradient_block);
#pragma unroll 2
  for (int i = lane_index(); i < pieces; i += warp_lanes) {
    int const image = t.image_pieces.quotient(i);
    int const rest  = i - image * t.image_pieces.divisor();
    int const row   = t.row_pieces.quotient(rest);
    int const block = rest - row * t.row_pieces.divisor();
    if (row >= from.rows || block >= from.blocks) { continue; }
    int const run     = whole_rows ? image : row;
    int const element = (start + run * shift) % gradient_block +
                        (whole_rows ? row * t.width : 0) + block * gradient_block;
    unsigned char const* const words =
      copied + (t.area_begin + run * t.area.run_pitch * copy_bytes + element / 2 * 4);
    auto const* const pair = reinterpret_cast<T const*>(words);
    std::uint32_t w[5];
#pragma unroll
    for (int k = 0; k < 5; ++k) { w[k] = load_pair(pair + 2 * k); }
    int const left = from.columns - block * gradient_block;
    uint4 piece;
    std::uint32_t* const out[4] = {&piece.x, &piece.y, &piece.z, &piece.w};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      std::uint32_t const both = funnel_pair(w[k], w[k + 1], element % 2 * 16);
      *out[k] = left >= 2 * k + 2 ? both : left == 2 * k + 1 ? both & 0xffffu : 0u;
    }
    *reinterpret_cast<uint4*>(laid_out + (t.area_begin + (image * t.area.image_pitch +
                                                          row * t.area.row_pitch + block) *
                                                           copy_bytes)) = piece;
  }
}

DWCONV_ABI_NAMESPACE_END
