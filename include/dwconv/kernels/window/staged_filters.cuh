// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/window/params.hpp>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/tile_areas.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// The filters of a tile of several planes, on their way to its threads through the area of
/// results, which is empty until the first of them are finished: in memory they follow each other,
/// and each lane reading its own would meet as many lines as there are planes, once for each tap.
template <typename T>
class staged_filters {
 public:
  /// With fewer planes to a tile, several threads read the same filter.
  static constexpr int least_planes = 32;

  /// Starts the copy, if there is one: not where the channels begin anew within the tile, nor where
  /// whole pieces would reach past the tensor. The block has initialised `landed`.
  __device__ staged_filters(window_params<T> const& p, tile_position const& tile,
                            tile_areas<T> const& areas, transaction_barrier& landed, int taps)
    : landed_{landed}, filters_{areas.output}
  {
    constexpr int piece = copy_bytes / static_cast<int>(sizeof(T));
    int const channels  = p.output_channels.divisor();
    int const channel   = tile.plane - p.output_channels.quotient(tile.plane) * channels;
    T const* const end  = p.filter + std::int64_t{channels} * taps;
    T const* const run  = p.filter + std::int64_t{channel} * taps;
    int const past      = past_boundary(run);
    int const whole     = (past + tile.planes * taps + piece - 1) / piece * piece;
    there_              = tile.planes >= least_planes && channel + tile.planes <= channels &&
             run - p.filter >= past && end - run >= whole - past &&
             whole <= areas.g.stages * areas.g.output_size;
    filters_ += past;
    if (there_ && warp_index() == 0 && one_lane()) {
      unsigned const bytes = static_cast<unsigned>(whole) * static_cast<unsigned>(sizeof(T));
      bulk_load(areas.output, run - past, bytes, landed_);
      landed_.arrive_and_expect(bytes);
    }
  }

  /// Whether there is a copy to wait for.
  [[nodiscard]] __device__ bool there() const { return there_; }

  /// Waits for it, and returns the first filter.
  [[nodiscard]] __device__ T const* wait()
  {
    landed_.wait(0);
    return filters_;
  }

 private:
  transaction_barrier& landed_;
  T* filters_;
  bool there_;
};

DWCONV_ABI_NAMESPACE_END
