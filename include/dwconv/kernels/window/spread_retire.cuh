// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/kernels/window/spread_params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Keeps each finished row of a thread's columns of dx for the store.
///
/// @tparam Words How; `spread_params::words`.
template <typename Config, spread_words Words>
struct spread_retire {
  using T                      = typename Config::element_type;
  static constexpr int columns = Config::columns_per_thread;

  T* kept;  ///< For the row that comes next.
  int pitch;
  unsigned wanted;  ///< A bit a column that dx has.

  /// Passes over some rows.
  __device__ void skip(int rows) { kept += rows * pitch; }

  /// @param sums     Of the row.
  /// @param finished Not where a walk begins, nor above and below dx.
  __device__ void operator()(sum_of<T> const (&sums)[columns], bool finished)
  {
    unsigned const now = finished ? wanted : 0u;
    if constexpr (Words == spread_words::none) {
#pragma unroll
      for (int v = 0; v < columns; ++v) { keep(v, sums, now); }
    } else {
      constexpr int first = Words == spread_words::from_first ? 0 : 1;
      if (first == 1) { keep(0, sums, now); }
#pragma unroll
      for (int v = first; v + 1 < columns; v += 2) {
        // Words lie within the row: dx has both of their columns, or none.
        if (now >> v & 1u) { store_pair(kept + v, pair_from_sums<T>(sums[v], sums[v + 1])); }
      }
      if (first == 1) { keep(columns - 1, sums, now); }
    }
    kept += pitch;
  }

 private:
  __device__ void keep(int v, sum_of<T> const (&sums)[columns], unsigned now)
  {
    if (now >> v & 1u) { kept[v] = from_sum<T>(sums[v]); }
  }
};

DWCONV_ABI_NAMESPACE_END
