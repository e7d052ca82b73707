// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/staging/tile_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// A run of elements of a tensor on its way to an area of shared memory that begins on a 16-byte
/// boundary: it arrives as far past the boundary as it lies past one in memory.
template <typename T>
struct staged_run {
  T const* from;
  int count;  ///< May be zero.
  T* area;
  tensor_range<T> tensor;

  static constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));

  /// What the copy engine moves of it: whole 16-byte pieces.
  struct pieces {
    T* to;
    T const* from;
    unsigned bytes;

    /// @param landed  Told of the bytes when they are there.
    /// @param passing Whether L2 shall keep what others left there rather than this.
    __device__ void load(transaction_barrier& landed, bool passing) const
    {
      if (bytes == 0) { return; }
      if (passing) {
        bulk_load_passing(to, from, bytes, landed);
      } else {
        bulk_load(to, from, bytes, landed);
      }
    }
  };

  /// Rounds the run outwards. At the tensor's ends there is nothing outwards: what is left there
  /// is copied here, by the calling thread.
  [[nodiscard]] __device__ pieces cut() const
  {
    if (count == 0) { return {nullptr, nullptr, 0}; }
    int const before   = past_boundary(from);
    int const rounded  = (before + count + piece - 1) / piece * piece;
    T const* const low = from - before;
    if (low >= tensor.begin && tensor.end - low >= rounded) {
      return {area, low, static_cast<unsigned>(rounded) * static_cast<unsigned>(sizeof(T))};
    }
    run_cut const inner = cut_outwards(from, count, tensor.begin, tensor.end);
    copy_ends(area + before, from, count, inner, 0, 1);
    if (!inner.has_pieces()) { return {nullptr, nullptr, 0}; }
    return {area + before + inner.first, from + inner.first,
            static_cast<unsigned>(inner.last - inner.first) * static_cast<unsigned>(sizeof(T))};
  }

  /// Moves it by copies that all threads of the block share out among them.
  template <bool Async>
  __device__ void share_out() const
  {
    int const thread    = static_cast<int>(threadIdx.x);
    int const threads   = static_cast<int>(blockDim.x);
    T* const to         = area + past_boundary(from);
    run_cut const inner = cut_outwards(from, count, tensor.begin, tensor.end);
    copy_ends(to, from, count, inner, thread, threads);
    for (int e = inner.first + thread * piece; e < inner.last; e += threads * piece) {
      if constexpr (Async) {
        async_copy<copy_bytes>(to + e, from + e);
      } else {
        *reinterpret_cast<uint4*>(to + e) = *reinterpret_cast<uint4 const*>(from + e);
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
