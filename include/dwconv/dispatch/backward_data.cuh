// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/dispatch/forward.cuh>
#include <dwconv/dispatch/window_data.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/direct/backward_data.cuh>
#include <dwconv/plan/backward_data.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// What one launch needs besides the type of its kernel.
template <typename T>
struct backward_data_call {
  backward_data_plan const& plan;
  backward_data_tensors<T> const& tensors;
  cudaStream_t stream;
};

template <typename Config, typename T>
[[nodiscard]] cudaError_t launch_direct(backward_data_call<T> const& call)
{
  launch_shape const shape{.grid  = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block = dim3(static_cast<unsigned>(call.plan.threads))};
  typename Config::params const params{call.plan.problem, call.tensors};
  return launch(&direct_backward_data_kernel<Config>, shape, call.stream, params);
}

template <layout Layout, typename T>
[[nodiscard]] cudaError_t choose_direct_index(backward_data_call<T> const& call)
{
  return call.plan.direct.index == index_width::bits32
           ? launch_direct<direct_data_config<T, Layout, std::int32_t>>(call)
           : launch_direct<direct_data_config<T, Layout, std::int64_t>>(call);
}

/// Launches what was planned: a kernel of the direct or window family for this, or the forward one
/// that computes dx from dy, if it is among those compiled.
template <typename T, typename Instances>
[[nodiscard]] status launch_planned(Instances instances, backward_data_call<T> const& call)
{
  if (call.plan.spreads) { return launch_spread(instances, call.plan, call.tensors, call.stream); }
  if (call.plan.family != kernel_family::direct) {
    forward_tensors<T> const turned{call.tensors.dy, call.tensors.filter, call.tensors.dx};
    epilogue::identity const none;
    return launch_planned(instances, forward_call<T, epilogue::identity>{call.plan.turned, turned,
                                                                         call.stream, none, true});
  }
  cudaError_t const error = call.plan.problem.data_layout == layout::nchw
                              ? choose_direct_index<layout::nchw>(call)
                              : choose_direct_index<layout::nhwc>(call);
  return launch_status(error);
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
