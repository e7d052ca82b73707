// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/any_filter_gradient.cuh>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/dispatch/toeplitz_filter.cuh>
#include <dwconv/dispatch/window_filter.cuh>
#include <dwconv/kernels/direct/backward_filter.cuh>
#include <dwconv/plan/backward_filter.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// What the launches need besides the types of their kernels.
template <typename T, typename Gradient>
struct backward_filter_call {
  using element_type = T;
  backward_filter_plan const& plan;
  backward_filter_tensors<T, Gradient> const& tensors;
  sum_of<T>* partial;
  cudaStream_t stream;
  update how;
};

template <typename Config, typename T, typename Gradient>
[[nodiscard]] cudaError_t launch_direct(backward_filter_call<T, Gradient> const& call)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                           .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  typename Config::params const params{call.plan.problem, call.tensors.x, call.tensors.dy,
                                       call.partial, call.plan.direct};
  return launch(&direct_backward_filter_kernel<Config>, shape, call.stream, params);
}

template <layout Layout, typename T, typename Gradient>
[[nodiscard]] cudaError_t choose_direct_index(backward_filter_call<T, Gradient> const& call)
{
  return call.plan.direct.index == index_width::bits32
           ? launch_direct<direct_filter_config<T, Layout, std::int32_t>>(call)
           : launch_direct<direct_filter_config<T, Layout, std::int64_t>>(call);
}

/// Launches the first pass of the planned family.
template <typename T, typename Gradient>
[[nodiscard]] cudaError_t launch_first_pass(backward_filter_call<T, Gradient> const& call)
{
  switch (call.plan.family) {
    case kernel_family::direct:
      return call.plan.problem.data_layout == layout::nchw
               ? choose_direct_index<layout::nchw>(call)
               : choose_direct_index<layout::nhwc>(call);
    case kernel_family::window:
      return for_any_filter(call.plan) ? launch_any_filter_gradient(call)
                                       : launch_window_filter(call);
    case kernel_family::toeplitz: return launch_toeplitz_filter(call);
  }
  return cudaErrorInvalidValue;
}

/// Launches the two passes that were planned; where there is nothing to sum, the second alone.
template <typename T, typename Gradient>
[[nodiscard]] status launch_planned(backward_filter_call<T, Gradient> const& call)
{
  if (call.plan.blocks > 0) {
    cudaError_t const error = launch_first_pass(call);
    if (error != cudaSuccess) { return launch_status(error); }
  }
  return launch_status(launch_add_splits(
    add_splits_params<sum_of<T>, Gradient>{call.partial, call.tensors.dfilter,
                                           filter_elements(call.plan.problem),
                                           split_count(call.plan), call.how},
    call.stream,
    call.plan.blocks > 0 && launches_can_overlap(call.plan.device.compute_capability)));
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
