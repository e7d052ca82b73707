// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/epilogue/coordinate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Gives one finished row of a piece to the epilogue and keeps the results for the store.
template <typename Config, typename Epilogue>
struct window_retire {
  using T = typename Config::element_type;

  T* kept;  ///< For the row that the next step finishes.
  int pitch;
  unsigned wanted;  ///< A bit a column that the piece has.
  output_coordinate at;
  int width;
  int rows_apart;  ///< From one row of the piece to the next.
  Epilogue const& epilogue;

  /// A piece's first `columns` columns.
  [[nodiscard]] static __device__ unsigned columns_wanted(int columns)
  {
    static_assert(Config::columns_per_thread < 32);
    return (1u << columns) - 1u;
  }

  /// @param sums     Of the row.
  /// @param finished Not in the first steps of a walk, which have nothing to give yet.
  __device__ void operator()(sum_of<T> const (&sums)[Config::columns_per_thread], bool finished)
  {
    unsigned const now = finished ? wanted : 0u;
#pragma unroll
    for (int v = 0; v < Config::columns_per_thread; ++v) {
      if (now >> v & 1u) {
        output_coordinate const here{at.batch, at.channel, at.row, at.column + v, at.offset + v};
        kept[v] = from_sum<T>(epilogue(sums[v], here));
      }
    }
    kept += pitch * rows_apart;
    at.row += rows_apart;
    at.offset += width * rows_apart;
  }
};

DWCONV_ABI_NAMESPACE_END
