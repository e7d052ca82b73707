// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/kernels/direct/backward_bias.cuh>
#include <dwconv/plan/backward_bias.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// What the launches need besides the types of their kernels.
template <typename T, typename Gradient>
struct backward_bias_call {
  backward_bias_plan const& plan;
  backward_bias_tensors<T, Gradient> const& tensors;
  sum_of<T>* partial;
  cudaStream_t stream;
  update how;
};

template <typename Config, typename T, typename Gradient>
[[nodiscard]] cudaError_t launch_direct(backward_bias_call<T, Gradient> const& call)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                           .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  typename Config::params const params{call.plan.problem, call.tensors.dy, call.partial,
                                       call.plan.direct};
  return launch(&direct_backward_bias_kernel<Config>, shape, call.stream, params);
}

template <layout Layout, typename T, typename Gradient>
[[nodiscard]] cudaError_t choose_direct_index(backward_bias_call<T, Gradient> const& call)
{
  return call.plan.direct.index == index_width::bits32
           ? launch_direct<direct_bias_config<T, Layout, std::int32_t>>(call)
           : launch_direct<direct_bias_config<T, Layout, std::int64_t>>(call);
}

/// Launches the two passes that were planned; where there is nothing to sum, the second alone.
template <typename T, typename Gradient>
[[nodiscard]] status launch_planned(backward_bias_call<T, Gradient> const& call)
{
  if (call.plan.blocks > 0) {
    cudaError_t const error = call.plan.problem.data_layout == layout::nchw
                                ? choose_direct_index<layout::nchw>(call)
                                : choose_direct_index<layout::nhwc>(call);
    if (error != cudaSuccess) { return launch_status(error); }
  }
  return launch_status(launch_add_splits(
    add_splits_params<sum_of<T>, Gradient>{call.partial, call.tensors.dbias,
                                           call.plan.problem.output_channels(),
                                           call.plan.direct.split.splits, call.how},
    call.stream));
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
