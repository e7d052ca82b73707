// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/launch.cuh>
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/kernels/window/backward_data.cuh>
#include <dwconv/plan/backward_data.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

template <typename Config, typename T>
[[nodiscard]] cudaError_t launch_spread_kernel(backward_data_plan const& plan,
                                               backward_data_tensors<T> const& tensors,
                                               cudaStream_t stream)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(plan.threads)),
                           .shared_bytes = static_cast<unsigned>(plan.shared_bytes)};
  return launch(&window_backward_data_kernel<Config>, shape, stream,
                spread_params<T>{plan.problem, tensors, plan.window});
}

/// Launches the kernel of the planned piece; its number among those compiled is a template
/// argument.
template <typename Instance, bool Multiplied, int Piece = 0, typename T>
[[nodiscard]] cudaError_t choose_spread_piece(backward_data_plan const& plan,
                                              backward_data_tensors<T> const& tensors,
                                              cudaStream_t stream)
{
  constexpr auto pieces =
    spread_pieces_of(Instance::taps::extent, Instance::stride::extent, sizeof(T));
  if constexpr (Piece < pieces.count) {
    if (plan.window.piece.columns == pieces.columns[Piece]) {
      return launch_spread_kernel<spread_config<
        T, typename Instance::taps, typename Instance::stride, pieces.columns[Piece], Multiplied>>(
        plan, tensors, stream);
    }
    return choose_spread_piece<Instance, Multiplied, Piece + 1>(plan, tensors, stream);
  } else {
    return cudaErrorInvalidValue;
  }
}

/// Of an instance of the window family for one filter: with one filter a channel and stride 1 the
/// gradient is a forward convolution, and nothing is compiled.
template <typename Instance, typename T>
[[nodiscard]] cudaError_t choose_spread(backward_data_plan const& plan,
                                        backward_data_tensors<T> const& tensors,
                                        cudaStream_t stream)
{
  if (plan.problem.multiplier > 1) {
    return choose_spread_piece<Instance, true>(plan, tensors, stream);
  }
  if constexpr (Instance::stride::extent != extent2{1, 1}) {
    return choose_spread_piece<Instance, false>(plan, tensors, stream);
  } else {
    return cudaErrorInvalidValue;
  }
}

/// Launches the window family's own kernel for a plan that spreads dy over dx.
template <typename T, typename... Instances>
[[nodiscard]] status launch_spread(instance_list<Instances...>, backward_data_plan const& plan,
                                   backward_data_tensors<T> const& tensors, cudaStream_t stream)
{
  cudaError_t error    = cudaErrorInvalidValue;
  bool found           = false;
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
  return launch_status(error);
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
