// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/dispatch/launch_status.hpp>
#include <dwconv/dispatch/toeplitz.cuh>
#include <dwconv/kernels/any_filter/forward.cuh>
#include <dwconv/kernels/direct/forward.cuh>
#include <dwconv/kernels/window/forward.cuh>
#include <dwconv/kernels/window/runtime_forward.cuh>
#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/problem/tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// What one launch needs besides the type of its kernel.
template <typename T, typename Epilogue>
struct forward_call {
  forward_plan const& plan;
  forward_tensors<T> const& tensors;
  cudaStream_t stream;
  Epilogue const& epilogue;
  bool turned = false;  ///< The filter, by 180 degrees. The direct family does not turn it.
};

template <typename Config, typename T, typename Epilogue>
[[nodiscard]] cudaError_t launch_direct(forward_call<T, Epilogue> const& call)
{
  launch_shape const shape{.grid  = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block = dim3(static_cast<unsigned>(call.plan.threads))};
  typename Config::params const params{call.plan.problem, call.tensors};
  return launch(&direct_forward_kernel<Config, Epilogue>, shape, call.stream, params,
                call.epilogue);
}

template <typename Instance, layout Layout, typename T, typename Epilogue>
[[nodiscard]] cudaError_t choose_direct_index(forward_call<T, Epilogue> const& call)
{
  using taps   = typename Instance::taps;
  using stride = typename Instance::stride;
  if (call.plan.direct.index == index_width::bits32) {
    return launch_direct<direct_config<T, Layout, std::int32_t, taps, stride>>(call);
  }
  return launch_direct<direct_config<T, Layout, std::int64_t, taps, stride>>(call);
}

template <typename Instance, typename T, typename Epilogue>
[[nodiscard]] cudaError_t choose_layout(forward_call<T, Epilogue> const& call)
{
  return call.plan.problem.data_layout == layout::nchw
           ? choose_direct_index<Instance, layout::nchw>(call)
           : choose_direct_index<Instance, layout::nhwc>(call);
}

template <typename Config, typename T, typename Epilogue>
[[nodiscard]] cudaError_t launch_window(forward_call<T, Epilogue> const& call)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                           .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  window_params<T> const params{call.plan.problem, call.tensors, call.plan.window, call.turned};
  return launch(&window_forward_kernel<Config, Epilogue>, shape, call.stream, params,
                call.epilogue);
}

/// Launches the window kernel of the planned piece; its number among those compiled is a template
/// argument.
template <typename Instance, int Piece = 0, typename T, typename Epilogue>
[[nodiscard]] cudaError_t choose_window_piece(forward_call<T, Epilogue> const& call)
{
  constexpr auto pieces =
    window_pieces(Instance::taps::extent, Instance::stride::extent, sizeof(T));
  if constexpr (Piece < pieces.count) {
    constexpr window_piece_shape piece = pieces.shapes[Piece];
    if (call.plan.window.piece == piece) {
      return launch_window<window_config<T, typename Instance::taps, typename Instance::stride,
                                         piece.columns, piece.rows>>(call);
    }
    return choose_window_piece<Instance, Piece + 1>(call);
  } else {
    return cudaErrorInvalidValue;
  }
}

template <typename Config, typename T, typename Epilogue>
[[nodiscard]] cudaError_t launch_any_filter(forward_call<T, Epilogue> const& call)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                           .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  any_filter_params<T> const params{call.plan.problem, call.tensors, call.plan.any_filter,
                                    call.turned};
  return launch(&any_filter_forward_kernel<Config, Epilogue>, shape, call.stream, params,
                call.epilogue);
}

template <typename T, typename Epilogue>
[[nodiscard]] cudaError_t choose_any_filter(forward_call<T, Epilogue> const& call)
{
  if constexpr (sizeof(T) < 8) {
    if (call.plan.any_filter.wide) { return launch_any_filter<any_filter_config<T, true>>(call); }
  }
  return launch_any_filter<any_filter_config<T>>(call);
}

template <typename Config, typename T, typename Epilogue>
[[nodiscard]] cudaError_t launch_runtime_window(forward_call<T, Epilogue> const& call)
{
  launch_shape const shape{.grid         = dim3(static_cast<unsigned>(call.plan.blocks)),
                           .block        = dim3(static_cast<unsigned>(call.plan.threads)),
                           .shared_bytes = static_cast<unsigned>(call.plan.shared_bytes)};
  runtime_window_params<T> const params{call.plan.problem, call.tensors, call.plan.window,
                                        call.turned};
  return launch(&runtime_window_forward_kernel<Config, Epilogue>, shape, call.stream, params,
                call.epilogue);
}

/// Launches the planned one of the window kernels for filters of run time.
template <int Size = 0, typename T, typename Epilogue>
[[nodiscard]] cudaError_t choose_runtime_window(forward_call<T, Epilogue> const& call)
{
  if constexpr (Size < runtime_window_sizes) {
    if (call.plan.window.number != Size) { return choose_runtime_window<Size + 1>(call); }
    return launch_runtime_window<runtime_window_config<T, Size>>(call);
  } else {
    return cudaErrorInvalidValue;
  }
}

template <typename Instance, typename T, typename Epilogue>
[[nodiscard]] cudaError_t launch_instance(forward_call<T, Epilogue> const& call)
{
  if constexpr (Instance::family == kernel_family::toeplitz) {
    if constexpr (half_element<T>) {
      return toeplitz_launch<T, typename Instance::taps, typename Instance::stride, Epilogue>{
        call.plan, call.tensors, call.stream, call.epilogue, call.turned}();
    } else {
      return cudaErrorInvalidValue;  // never planned
    }
  } else if constexpr (Instance::shape.slides) {
    return choose_runtime_window(call);
  } else if constexpr (Instance::family == kernel_family::window && Instance::shape.any_filter()) {
    return choose_any_filter(call);
  } else if constexpr (Instance::family == kernel_family::window) {
    return choose_window_piece<Instance>(call);
  } else {
    return choose_layout<Instance>(call);
  }
}

/// Launches the instance that was planned, if it is among those compiled.
template <typename T, typename Epilogue, typename... Instances>
[[nodiscard]] status launch_planned(instance_list<Instances...>,
                                    forward_call<T, Epilogue> const& call)
{
  bool found        = false;
  cudaError_t error = cudaSuccess;
  auto const match  = [&]<typename Instance>(Instance) {
    if (found || call.plan.compiled != Instance::shape) { return; }
    found = true;
    error = launch_instance<Instance>(call);
  };
  (match(Instances{}), ...);
  return found ? launch_status(error) : not_compiled();
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
