// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/window/backward_filter.cuh>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

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
    using config = window_filter_config<T, taps<shape.taps.height, shape.taps.width>,
                                        stride<shape.stride.height, shape.stride.width>>;
    launch_shape const grid{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                            .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                            .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
    typename config::params const params{p, call.tensors.x, call.tensors.dy, call.partial,
                                         call.plan.window};
    return launch(&window_filter_kernel<config>, grid, call.stream, params);
  } else {
    return cudaErrorInvalidValue;
  }
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
