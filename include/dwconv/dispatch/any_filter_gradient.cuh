// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/any_filter/backward_filter.cuh>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches the first pass of the window family's kernel for any filter.
template <typename Call>
[[nodiscard]] cudaError_t launch_any_filter_gradient(Call const& call)
{
  using config = any_filter_gradient_config<typename Call::element_type>;
  launch_shape const grid{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                          .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                          .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  typename config::params const params{call.plan.problem, call.tensors.x, call.tensors.dy,
                                       call.partial, call.plan.any_filter};
  return launch(&any_filter_gradient_kernel<config>, grid, call.stream, params);
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
