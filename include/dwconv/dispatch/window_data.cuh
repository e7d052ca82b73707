// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/launch.cuh>
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/kernels/window/backward_data.cuh>
#include <dwconv/plan/backward_data.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

template <typename Instance, bool Multiplied, typename T>
[[nodiscard]] cudaError_t launch_spread_kernel(backward_data_plan const& plan,
                                               backward_data_tensors<T> const& tensors,
                                               cudaStream_t stream)
{
  using config = spread_config<T, typename Instance::taps, typename Instance::stride, Multiplied>;
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(plan.threads)),
                           .shared_bytes = static_cast<unsigned>(plan.shared_bytes)};
  return launch(&window_backward_data_kernel<config>, shape, stream,
                spread_params<T>{plan.problem, tensors, plan.window});
}

/// Of an instance of the window family for one filter: with one filter a channel and stride 1 the
/// gradient is a forward convolution, and nothing is compiled.
template <typename Instance, typename T>
[[nodiscard]] cudaError_t choose_spread(backward_data_plan const& plan,
                                        backward_data_tensors<T> const& tensors,
                                        cudaStream_t stream)
{
  if (plan.problem.multiplier > 1) {
    return launch_spread_kernel<Instance, true>(plan, tensors, stream);
  }
  if constexpr (Instance::stride::extent != extent2{1, 1}) {
    return launch_spread_kernel<Instance, false>(plan, tensors, stream);
  } else {
    return cudaErrorInvalidValue;
  }
}

/// Launches the window family's own kernel for a plan that spreads dy over dx, if it is among those
/// compiled.
template <typename T, typename... Instances>
[[nodiscard]] status launch_spread(instance_list<Instances...>, backward_data_plan const& plan,
                                   backward_data_tensors<T> const& tensors, cudaStream_t stream)
{
  bool found           = false;
  cudaError_t error    = cudaSuccess;
  auto const launch_if = [&]<typename Instance>(Instance) {
    if constexpr (Instance::family == kernel_family::window &&
                  Instance::taps::extent != extent2{0, 0}) {
      if (!found && Instance::taps::extent == plan.problem.filter &&
          Instance::stride::extent == plan.problem.stride) {
        found = true;
        error = choose_spread<Instance>(plan, tensors, stream);
      }
    }
  };
  (launch_if(Instances{}), ...);
  return found ? launch_status(error) : not_compiled();
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
