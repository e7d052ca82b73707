// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/device/launch.cuh>
#include <dwconv/kernels/toeplitz/forward.cuh>
#include <dwconv/kernels/toeplitz/group_forward.cuh>
#include <dwconv/kernels/toeplitz/stack_forward.cuh>
#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/problem/static_shape.hpp>
#include <dwconv/problem/tensors.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// Launches the toeplitz family's kernel for a problem: one that holds the filter in registers
/// where its height is listed, else one for as many matrix products as a filter row takes. Compiles
/// those that filters of `Taps` and `Stride` may need.
template <typename T, static_taps Taps, static_stride Stride, typename Epilogue>
class toeplitz_launch {
 public:
  toeplitz_launch(forward_plan const& plan, forward_tensors<T> const& tensors, cudaStream_t stream,
                  Epilogue const& epilogue, bool turned)
    : plan_{plan},
      tensors_{tensors},
      turned_{turned},
      params_{plan.problem, tensors, plan.toeplitz, turned},
      stream_{stream},
      epilogue_{epilogue}
  {}

  [[nodiscard]] cudaError_t operator()() const
  {
    if (plan_.toeplitz.groups) { return grouped(); }
    if (plan_.toeplitz.stacks) { return stacked(); }
    switch (params_.begin) {
      case toeplitz_rows_begin::even: return by_engine<toeplitz_rows_begin::even>();
      case toeplitz_rows_begin::any: return by_engine<toeplitz_rows_begin::any>();
      case toeplitz_rows_begin::alike: return held_three<toeplitz_rows_begin::alike>();
    }
    return cudaErrorInvalidValue;
  }

 private:
  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t by_engine() const
  {
    if (!toeplitz_holds_filter(plan_.problem, Begin)) {
      return plan_.problem.stride.height == 1 ? by_chunks<Begin>() : by_chunks_strided<Begin>();
    }
    if (plan_.problem.stride.height == 2) { return held_strided<Begin>(); }
    return held<Begin>();
  }

  /// Whether a kernel of this filter height and stride, zero for any, may be needed.
  [[nodiscard]] static constexpr bool named(int height, int stride) noexcept
  {
    constexpr extent2 any{0, 0};
    return (height == 0 || Taps::extent == any || Taps::extent.height == height) &&
           (stride == 0 || Stride::extent == any || Stride::extent.height == stride);
  }

  /// Whether a kernel for so many matrix products along a filter row may be needed.
  [[nodiscard]] static constexpr bool named_chunks(int chunks) noexcept
  {
    constexpr extent2 any{0, 0};
    if (Taps::extent == any || Stride::extent == any) { return true; }
    // One more column where windows begin before the first tap.
    constexpr std::int64_t most = geometry::divide_up(
      (toeplitz_block - 1) * Stride::extent.width + Taps::extent.width + 1, toeplitz_depth);
    constexpr std::int64_t rows = Taps::extent.height;
    constexpr bool low = rows == 1 ? most <= 4 : rows == 3 ? most <= 2 : rows <= 7 && most == 1;
    constexpr bool always_held = low && Stride::extent.height == 1;
    return !always_held && (chunks <= 2 || chunks <= most + 1);
  }

  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t held() const
  {
    int const chunks = toeplitz_chunks(plan_.problem, Begin);
    switch (plan_.problem.filter.height) {
      case 1:
        return chunks == 1   ? launch_kernel<1, 1, 1, Begin>()
               : chunks == 2 ? launch_kernel<1, 1, 2, Begin>()
                             : launch_kernel<1, 1, 4, Begin>();
      case 3: return held_three<Begin>();
      case 2: return launch_kernel<2, 1, 1, Begin>();
      case 4: return launch_kernel<4, 1, 1, Begin>();
      case 5: return launch_kernel<5, 1, 1, Begin>();
      case 6: return launch_kernel<6, 1, 1, Begin>();
      case 7: return launch_kernel<7, 1, 1, Begin>();
    }
    if constexpr (Begin == toeplitz_rows_begin::even) {
      switch (plan_.problem.filter.height) {
        case 9: return launch_kernel<9, 1, 1, Begin>();
        case 11: return launch_kernel<11, 1, 2, Begin>();
        case 13: return launch_kernel<13, 1, 2, Begin>();
      }
    }
    return cudaErrorInvalidValue;
  }

  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t held_three() const
  {
    int const chunks = toeplitz_chunks(plan_.problem, Begin);
    if constexpr (Begin == toeplitz_rows_begin::even) {
      if (chunks == 3) { return launch_kernel<3, 1, 3, Begin>(); }
    }
    switch (chunks) {
      case 1: return launch_kernel<3, 1, 1, Begin>();
      case 2: return launch_kernel<3, 1, 2, Begin>();
    }
    return cudaErrorInvalidValue;
  }

  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t held_strided() const
  {
    switch (plan_.problem.filter.height) {
      case 2: return launch_kernel<2, 2, 2, Begin>();
      case 3: return launch_kernel<3, 2, 2, Begin>();
      case 4: return launch_kernel<4, 2, 2, Begin>();
      case 5: return launch_kernel<5, 2, 2, Begin>();
      case 7: return launch_kernel<7, 2, 2, Begin>();
    }
    return cudaErrorInvalidValue;
  }

  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t by_chunks() const
  {
    switch (toeplitz_chunks(plan_.problem, Begin)) {
      case 1: return launch_kernel<0, 1, 1, Begin>();
      case 2: return launch_kernel<0, 1, 2, Begin>();
      case 3: return launch_kernel<0, 1, 3, Begin>();
      case 5: return launch_kernel<0, 1, 5, Begin>();
    }
    return cudaErrorInvalidValue;
  }

  template <toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t by_chunks_strided() const
  {
    return toeplitz_chunks(plan_.problem, Begin) == 2 ? launch_kernel<0, 0, 2, Begin>()
                                                      : launch_kernel<0, 0, 5, Begin>();
  }

  template <int Height, int KernelStride, int Chunks, toeplitz_rows_begin Begin>
  [[nodiscard]] cudaError_t launch_kernel() const
  {
    if constexpr (named(Height, KernelStride) && (Height > 0 || named_chunks(Chunks))) {
      if constexpr (toeplitz_stores_each(Height, KernelStride, Chunks, Begin)) {
        if (!params_.layout.kept) {
          using config =
            toeplitz_config<T, Height, KernelStride, Chunks, Begin, mover::newest, false>;
          return launch(&toeplitz_forward_kernel<config, Epilogue>, shape(), stream_, params_,
                        epilogue_);
        }
      }
      using config = toeplitz_config<T, Height, KernelStride, Chunks, Begin>;
      return launch(&toeplitz_forward_kernel<config, Epilogue>, shape(), stream_, params_,
                    epilogue_);
    } else {
      return cudaErrorInvalidValue;
    }
  }

  [[nodiscard]] cudaError_t stacked() const
  {
    switch (toeplitz_stack::window_halves(plan_.problem)) {
      case 4: return launch_stacks<4>();
      case 5: return launch_stacks<5>();
      case 6: return launch_stacks<6>();
    }
    return cudaErrorInvalidValue;
  }

  template <int Halves>
  [[nodiscard]] cudaError_t launch_stacks() const
  {
    if constexpr (named(0, 1) && named_chunks(Halves / 2)) {
      return launch(
        &toeplitz_stack_kernel<toeplitz_stack_config<T, Halves>, Epilogue>, shape(), stream_,
        toeplitz_stack_params<T>{plan_.problem, tensors_, plan_.toeplitz, turned_}, epilogue_);
    } else {
      return cudaErrorInvalidValue;
    }
  }

  [[nodiscard]] cudaError_t grouped() const
  {
    constexpr extent2 any{0, 0};
    if constexpr (named(0, 1) &&
                  (Taps::extent == any || Taps::extent.height >= toeplitz_group_fewest_rows)) {
      return launch(&toeplitz_group_kernel<T, Epilogue>, shape(), stream_,
                    toeplitz_group_params<T>{plan_.problem, tensors_, plan_.toeplitz.tile, turned_},
                    epilogue_);
    } else {
      return cudaErrorInvalidValue;
    }
  }

  [[nodiscard]] int shared_bytes() const
  {
    if (plan_.toeplitz.stacks || plan_.toeplitz.groups) { return plan_.shared_bytes; }
    // Odd addresses may need more than was planned, where results are not kept.
    return std::max(plan_.shared_bytes, params_.layout.shared_bytes());
  }

  [[nodiscard]] launch_shape shape() const
  {
    return {.grid         = dim3(static_cast<unsigned>(plan_.blocks)),
            .block        = dim3(static_cast<unsigned>(plan_.threads)),
            .shared_bytes = static_cast<unsigned>(shared_bytes())};
  }

  forward_plan const& plan_;
  forward_tensors<T> const& tensors_;
  bool turned_;
  toeplitz_params<T> params_;
  cudaStream_t stream_;
  Epilogue const& epilogue_;
};

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
