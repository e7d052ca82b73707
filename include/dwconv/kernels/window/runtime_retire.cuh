// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/epilogue/coordinate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Gives one finished row of a piece to the epilogue and keeps the results for the store; of a
/// dilated filter its outputs are some columns apart, and its rows some rows. Columns are counted
/// where `window_retire` has a mask of them: the mask takes a register too many beside these sums.
template <typename Config, typename Epilogue>
struct runtime_window_retire {
  using T = typename Config::element_type;

  T* kept;
  int pitch;
  int columns;
  int columns_apart;
  int rows_apart;
  int width;
  output_coordinate at;
  Epilogue const& epilogue;

  __device__ void operator()(sum_of<T> const (&sums)[Config::columns_per_thread])
  {
    if (columns == Config::columns_per_thread) {
      keep<true>(sums);
    } else {
      keep<false>(sums);
    }
    kept += pitch * rows_apart;
    at.row += rows_apart;
    at.offset += static_cast<std::int64_t>(width) * rows_apart;
  }

 private:
  template <bool Full>
  __device__ void keep(sum_of<T> const (&sums)[Config::columns_per_thread])
  {
#pragma unroll
    for (int v = 0; v < Config::columns_per_thread; ++v) {
      if (Full || v < columns) {
        int const along = v * columns_apart;
        output_coordinate const here{at.batch, at.channel, at.row, at.column + along,
                                     at.offset + along};
        kept[along] = from_sum<T>(epilogue(sums[v], here));
      }
    }
  }
};

DWCONV_ABI_NAMESPACE_END
