// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/window/backward_filter.cuh>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches one of the window family's kernels for the first pass.
template <typename Config, typename Call>
[[nodiscard]] cudaError_t launch_window_filter_as(Call const& call)
{
  launch_shape const grid{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                          .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                          .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  typename Config::params const params{call.plan.problem, call.tensors.x, call.tensors.dy,
                                       call.partial, call.plan.window};
  return launch(&window_filter_kernel<Config>, grid, call.stream, params);
}

/// Launches the window family's first pass for the planned filter and stride, which are among those
/// compiled; their number is a template argument.
template <std::size_t Shape = 0, typename Call>
[[nodiscard]] cudaError_t launch_window_filter(Call const& call)
{
  using T = typename Call::element_type;
  if constexpr (Shape < window_filter_shapes.size()) {
    constexpr window_filter_shape shape = window_filter_shapes[Shape];
    conv2d_problem const& p             = call.plan.problem;
    if (p.filter != shape.taps || p.stride != shape.stride) {
      return launch_window_filter<Shape + 1>(call);
    }
    using filter = taps<shape.taps.height, shape.taps.width>;
    using steps  = stride<shape.stride.height, shape.stride.width>;
    constexpr bool may_be_dilated =
      shape.stride == extent2{1, 1} &&
      std::find(window_filter_dilated.begin(), window_filter_dilated.end(), shape.taps) !=
        window_filter_dilated.end();
    if constexpr (may_be_dilated) {
      if (is_dilated(p)) {
        return launch_window_filter_as<window_filter_config<T, filter, steps, mover::newest, true>>(
          call);
      }
    }
    return launch_window_filter_as<window_filter_config<T, filter, steps>>(call);
  } else {
    return cudaErrorInvalidValue;
  }
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
