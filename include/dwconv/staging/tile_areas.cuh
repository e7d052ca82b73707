// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/shared_memory.cuh>
#include <dwconv/staging/tile_geometry.hpp>
#include <dwconv/staging/tile_load.cuh>
#include <dwconv/staging/tile_position.hpp>
#include <dwconv/staging/tile_store.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// What brings chunks of a tile in and what writes them out, each way of moving them.
template <typename T, mover How, bool Together = false>
struct tile_movers {
  using load = std::conditional_t<How == mover::bulk, bulk_tile_load<T, Together>,
                                  shared_out_tile_load<T, How == mover::async>>;
  using store =
    std::conditional_t<How == mover::bulk, bulk_tile_store<T, Together>, vector_tile_store<T>>;
};

/// Where chunks lie in a block's shared memory: behind 128 bytes of barriers those of the input,
/// each with room to read before and after it, then those of the output.
template <typename T>
struct tile_areas {
  tile_geometry const& g;
  T* input;
  T* output;

  [[nodiscard]] static __device__ tile_areas of(tile_geometry const& g)
  {
    T* const input = dynamic_shared_memory<T>() + 128 / sizeof(T) + g.input_slack;
    return {g, input, input - g.input_slack + g.stages * g.input_size};
  }

  static_assert(tile_stages == 2);
  [[nodiscard]] __device__ T* input_stage(int chunk) const
  {
    return input + (chunk & 1) * g.input_size;
  }
  [[nodiscard]] __device__ T* output_stage(int chunk) const
  {
    return output + (chunk & 1) * g.output_size;
  }

  /// Starts chunk number `k` of `tile` on its way in; where there is none, says so.
  template <typename Load>
  __device__ void start(Load& load, tile_position const& tile, tile_frame const& f, int k) const
  {
    if (k < g.chunks) {
      tile_chunk const chunk = tile.chunk(g, f, k);
      load.start(k, chunk.input_row, chunk.input_rows, input_stage(k));
    } else {
      load.skip();
    }
  }
};

DWCONV_ABI_NAMESPACE_END
