// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/toeplitz/backward_filter.cuh>
#include <dwconv/plan/toeplitz_filter_tiles.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches the toeplitz family's first pass of backward_filter.
template <half_element T, mover Mover = mover::newest>
class toeplitz_filter_launch {
 public:
  toeplitz_filter_launch(conv2d_problem const& problem, toeplitz_gradient_policy const& policy,
                         T const* x, T const* dy, float* partial, cudaStream_t stream)
    : policy_{policy},
      params_{problem, x, dy, partial, policy},
      shape_{shape(problem, policy)},
      stream_{stream}
  {}

  [[nodiscard]] cudaError_t operator()() const
  {
    switch (policy_.halves) {
      case 1: return one_half();
      case 3: return three_halves();
      case 5: return launch_kernel<8, 5>();
    }
    return cudaErrorInvalidValue;
  }

 private:
  [[nodiscard]] static launch_shape shape(conv2d_problem const& problem,
                                          toeplitz_gradient_policy const& policy)
  {
    std::int64_t const blocks = toeplitz_gradient_blocks(problem, policy);
    std::int64_t const shared = gradient_layout{problem, policy}.shared_bytes();
    return {.grid         = dim3(static_cast<unsigned>(blocks)),
            .block        = dim3(gradient_threads),
            .shared_bytes = static_cast<unsigned>(shared)};
  }

  [[nodiscard]] cudaError_t one_half() const
  {
    switch (policy_.rows) {
      case 3: return launch_kernel<3, 1>();
      case 7: return launch_kernel<7, 1>();
      case 13: return launch_kernel<13, 1>();
    }
    return cudaErrorInvalidValue;
  }

  [[nodiscard]] cudaError_t three_halves() const
  {
    switch (policy_.rows) {
      case 3: return launch_kernel<3, 3>();
      case 5: return launch_kernel<5, 3>();
      case 7: return launch_kernel<7, 3>();
      case 9: return launch_kernel<9, 3>();
      case 13: return launch_kernel<13, 3>();
    }
    return cudaErrorInvalidValue;
  }

  template <int Rows, int Halves>
  [[nodiscard]] cudaError_t launch_kernel() const
  {
    using config = toeplitz_gradient_config<T, Rows, Halves, Mover>;
    return launch(&toeplitz_gradient_kernel<config>, shape_, stream_, params_);
  }

  toeplitz_gradient_policy const& policy_;
  toeplitz_gradient_params<T> params_;
  launch_shape shape_;
  cudaStream_t stream_;
};

/// Launches what was planned.
template <typename Call>
[[nodiscard]] cudaError_t launch_toeplitz_filter(Call const& call)
{
  using T = typename Call::element_type;
  if constexpr (half_element<T>) {
    return toeplitz_filter_launch<T>{call.plan.problem, call.plan.toeplitz, call.tensors.x,
                                     call.tensors.dy,   call.partial,       call.stream}();
  } else {
    return cudaErrorInvalidValue;  // never planned
  }
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
