// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <type_traits>

#include <dwconv/core/status.hpp>
#include <dwconv/device/launch.cuh>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/kernels/toeplitz/forward.cuh>
#include <dwconv/kernels/toeplitz/group_forward.cuh>
#include <dwconv/kernels/toeplitz/stack_forward.cuh>
#include <dwconv/plan/toeplitz_tiles.hpp>

/// Launches the toeplitz kernel compiled for a problem, without a door.
///
/// With an epilogue or a mover of their own only some kernels are compiled: one of each engine, and
/// a strided one.
template <typename T, typename Epilogue, dwconv::mover Mover = dwconv::mover::newest>
class toeplitz_launch {
 public:
  toeplitz_launch(dwconv::conv2d_problem const& problem, dwconv::toeplitz_policy const& policy,
                  dwconv::forward_tensors<T> const& tensors, Epilogue const& epilogue,
                  cudaStream_t stream)
    : problem_{problem},
      policy_{policy},
      tensors_{tensors},
      params_{problem, tensors, policy},
      epilogue_{epilogue},
      stream_{stream}
  {}

  [[nodiscard]] cudaError_t operator()() const
  {
    if (policy_.groups) {
      return dwconv::launch(&dwconv::toeplitz_group_kernel<T, Epilogue>, shape(), stream_,
                            dwconv::toeplitz_group_params<T>{problem_, tensors_, policy_.tile},
                            epilogue_);
    }
    if (policy_.stacks) {
      switch (dwconv::toeplitz_stack::window_halves(problem_)) {
        case 4: return launch_stacks<4>();
        case 5: return launch_stacks<5>();
        default: return launch_stacks<6>();
      }
    }
    switch (params_.begin) {
      case begin::even: return by_engine<begin::even>();
      case begin::any: return by_engine<begin::any>();
      default: return held_three<begin::alike>();
    }
  }

 private:
  using begin = dwconv::toeplitz_rows_begin;

  template <begin Begin>
  [[nodiscard]] cudaError_t by_engine() const
  {
    if (!dwconv::toeplitz_holds_filter(problem_, Begin)) {
      return problem_.stride.height == 1 ? by_chunks<1, Begin>() : by_chunks<0, Begin>();
    }
    if (problem_.stride.height == 2) {
      switch (problem_.filter.height) {
        case 2: return launch<2, 2, 2, Begin, every_kernel>();
        case 3: return launch<3, 2, 2, Begin, every_kernel>();
        case 4: return launch<4, 2, 2, Begin, every_kernel>();
        case 5: return launch<5, 2, 2, Begin>();
        default: return launch<7, 2, 2, Begin, every_kernel>();
      }
    }
    return held<Begin>();
  }

  static constexpr bool every_kernel =
    std::is_same_v<Epilogue, dwconv::epilogue::identity> && Mover == dwconv::mover::newest;

  template <begin Begin>
  [[nodiscard]] cudaError_t held() const
  {
    constexpr bool high = every_kernel && Begin == begin::even;
    int const chunks    = dwconv::toeplitz_chunks(problem_, Begin);
    switch (problem_.filter.height) {
      case 1:
        return chunks == 1   ? launch<1, 1, 1, Begin>()
               : chunks == 2 ? launch<1, 1, 2, Begin, every_kernel>()
                             : launch<1, 1, 4, Begin, every_kernel>();
      case 3: return held_three<Begin>();
      case 5: return launch<5, 1, 1, Begin, every_kernel>();
      case 2: return launch<2, 1, 1, Begin, every_kernel>();
      case 4: return launch<4, 1, 1, Begin, every_kernel>();
      case 6: return launch<6, 1, 1, Begin, every_kernel>();
      case 7: return launch<7, 1, 1, Begin>();
      case 9: return launch<9, 1, 1, Begin, high>();
      case 11: return launch<11, 1, 2, Begin, high>();
      default: return launch<13, 1, 2, Begin, high>();
    }
  }

  template <begin Begin>
  [[nodiscard]] cudaError_t held_three() const
  {
    constexpr bool compiled = every_kernel || Begin != begin::alike;
    switch (dwconv::toeplitz_chunks(problem_, Begin)) {
      case 1: return launch<3, 1, 1, Begin, compiled>();
      case 2: return launch<3, 1, 2, Begin, every_kernel>();
      default: return launch < 3, 1, 3, Begin, every_kernel && Begin == begin::even > ();
    }
  }

  template <int Stride, begin Begin>
  [[nodiscard]] cudaError_t by_chunks() const
  {
    switch (dwconv::toeplitz_chunks(problem_, Begin)) {
      case 1: return launch<0, Stride, 1, Begin>();
      case 2: return launch<0, Stride, 2, Begin>();
      case 3: return launch < 0, Stride, 3, Begin, every_kernel && Stride == 1 > ();
      default: return launch<0, Stride, 5, Begin, every_kernel>();
    }
  }

  template <int FilterHeight, int Stride, int Chunks, begin Begin, bool Compiled = true>
  [[nodiscard]] cudaError_t launch() const
  {
    if constexpr (every_kernel &&
                  dwconv::toeplitz_stores_each(FilterHeight, Stride, Chunks, Begin)) {
      if (!params_.layout.kept) {
        return launch_compiled<
          dwconv::toeplitz_config<T, FilterHeight, Stride, Chunks, Begin, Mover, false>>();
      }
    }
    if constexpr (Compiled) {
      return launch_compiled<
        dwconv::toeplitz_config<T, FilterHeight, Stride, Chunks, Begin, Mover>>();
    } else {
      return cudaErrorNotSupported;
    }
  }

  template <typename Config>
  [[nodiscard]] cudaError_t launch_compiled() const
  {
    return dwconv::launch(&dwconv::toeplitz_forward_kernel<Config, Epilogue>, shape(), stream_,
                          params_, epilogue_);
  }

  template <int Halves>
  [[nodiscard]] cudaError_t launch_stacks() const
  {
    using config = dwconv::toeplitz_stack_config<T, Halves>;
    return dwconv::launch(&dwconv::toeplitz_stack_kernel<config, Epilogue>, shape(), stream_,
                          dwconv::toeplitz_stack_params<T>{problem_, tensors_, policy_}, epilogue_);
  }

  [[nodiscard]] dwconv::launch_shape shape() const
  {
    auto const tiles  = dwconv::toeplitz_tiles::blocks(problem_, policy_);
    int const planned = dwconv::toeplitz_tiles::shared_bytes(problem_, policy_);
    bool const other  = policy_.stacks || policy_.groups;
    int const bytes   = other ? planned : std::max(planned, params_.layout.shared_bytes());
    return {.grid         = dim3(static_cast<unsigned>(tiles)),
            .block        = dim3(static_cast<unsigned>(policy_.threads)),
            .shared_bytes = static_cast<unsigned>(bytes)};
  }

  dwconv::conv2d_problem const& problem_;
  dwconv::toeplitz_policy const& policy_;
  dwconv::forward_tensors<T> const& tensors_;
  dwconv::toeplitz_params<T> params_;
  Epilogue const& epilogue_;
  cudaStream_t stream_;
};
