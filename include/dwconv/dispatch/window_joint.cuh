// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/device/launch_order.cuh>
#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/kernels/window/joint_backward.cuh>
#include <dwconv/plan/backward.hpp>
#include <dwconv/problem/backward_tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches the window family's pass for dx and the parts of dfilter, for the planned filter, which
/// is among those compiled; its number is a template argument.
template <std::size_t Filter = 0, typename T, typename Gradient>
[[nodiscard]] cudaError_t launch_window_joint(backward_plan const& plan,
                                              backward_tensors<T, Gradient> const& tensors,
                                              sum_of<T>* partial, cudaStream_t stream)
{
  if constexpr (Filter < window_joint_filters.size()) {
    constexpr extent2 filter = window_joint_filters[Filter];
    if (plan.problem.filter != filter) {
      return launch_window_joint<Filter + 1>(plan, tensors, partial, stream);
    }
    using config = window_joint_config<T, taps<filter.height, filter.width>>;
    launch_shape const grid{.grid         = dim3(static_cast<unsigned>(plan.joint.blocks)),
                            .block        = dim3(static_cast<unsigned>(plan.joint.threads)),
                            .shared_bytes = static_cast<unsigned>(plan.joint.shared_bytes)};
    typename config::params const params{plan.problem, tensors.x, tensors.dy,       tensors.filter,
                                         tensors.dx,   partial,   plan.joint.window};
    return launch(&window_joint_kernel<config>, grid, stream, params);
  } else {
    return cudaErrorInvalidValue;
  }
}

/// Launches what was planned for dx and dfilter in one pass, and the pass that adds the parts of
/// dfilter up.
template <typename T, typename Gradient>
[[nodiscard]] status launch_joint(backward_plan const& plan,
                                  backward_tensors<T, Gradient> const& tensors, sum_of<T>* partial,
                                  cudaStream_t stream, update how)
{
  cudaError_t const error = launch_window_joint(plan, tensors, partial, stream);
  if (error != cudaSuccess) { return launch_status(error); }
  return launch_status(launch_add_splits(
    add_splits_params<sum_of<T>, Gradient>{partial, tensors.dfilter, filter_elements(plan.problem),
                                           split_count(plan), how},
    stream, launches_can_overlap(plan.device.compute_capability)));
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
