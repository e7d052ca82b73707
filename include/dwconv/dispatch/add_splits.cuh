// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/splits/add.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches the second pass of a sum over the batch: the splits in the workspace become a gradient.
///
/// @param early Whether it may begin while the first pass, launched just before, ends.
template <typename Sum, typename Gradient>
[[nodiscard]] cudaError_t launch_add_splits(add_splits_params<Sum, Gradient> const& params,
                                            cudaStream_t stream, bool early = false)
{
  int const warps           = std::clamp(params.splits, 1, split_warps);
  std::int64_t const blocks = (params.elements + warp_lanes - 1) / warp_lanes;
  launch_shape const shape{
    .grid         = dim3(static_cast<unsigned>(blocks)),
    .block        = dim3(static_cast<unsigned>(warps * warp_lanes)),
    .shared_bytes = static_cast<unsigned>(block_sum_size(warp_lanes, 1, warps * warp_lanes)) *
                    static_cast<unsigned>(sizeof(Sum)),
    .early        = early};
  return launch(&add_splits_kernel<Sum, Gradient>, shape, stream, params);
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
