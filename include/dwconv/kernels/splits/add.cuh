// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/convert.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/device/shared_memory.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/kernels/splits/params.hpp>
#include <dwconv/reduction/block_sum.cuh>
#include <dwconv/reduction/split_sum.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Most threads of a block: a lane an element, a warp every `split_warps`-th split.
inline constexpr int add_splits_threads = split_warps * warp_lanes;

/// The second pass of every gradient that is a sum over the batch: adds up what the splits have
/// left in the workspace, in their order. Without splits the sum is zero.
template <typename Sum, typename Gradient>
__global__ void __launch_bounds__(add_splits_threads)
  add_splits_kernel(add_splits_params<Sum, Gradient> const p)
{
  std::int64_t const first = static_cast<std::int64_t>(blockIdx.x) * warp_lanes;
  std::int64_t const own   = first + lane_index();
  int const warps          = static_cast<int>(blockDim.x) / warp_lanes;
  Sum sums[1]              = {};
  wait_for_launch_before();
  if (own < p.elements) {
    Sum const* partial = p.partial + own;
#pragma unroll 4
    for (int split = warp_index(); split < p.splits; split += warps) {
      sums[0] += load_read_only(partial + split * p.elements);
    }
  }
  block_sum<warp_lanes>(sums, dynamic_shared_memory<Sum>(), [&](int, int lane, Sum sum) {
    std::int64_t const element = first + lane;
    if (element >= p.elements) { return; }
    Gradient* const to = p.gradient + element;
    if (p.how == update::accumulate) { sum = static_cast<Sum>(to_sum(*to)) + sum; }
    *to = from_sum<Gradient>(static_cast<sum_of<Gradient>>(sum));
  });
}

DWCONV_ABI_NAMESPACE_END
