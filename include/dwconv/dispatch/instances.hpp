// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/problem/static_shape.hpp>

namespace dwconv {

/// One kernel to compile: a family, for a filter and a stride.
template <kernel_family Family, static_taps Taps, static_stride Stride>
struct instance {
  using taps                            = Taps;
  using stride                          = Stride;
  static constexpr kernel_family family = Family;
  static constexpr compiled_shape shape{Family, Taps::extent, Stride::extent};
};

/// Kernels that a door compiles; of each family, the preferred first.
template <typename... Instances>
struct instance_list {
  static constexpr std::array<compiled_shape, sizeof...(Instances)> shapes{Instances::shape...};
};

/// A kernel of the window family, for one filter and stride, or for any.
template <static_taps Taps, static_stride Stride>
using window_instance = instance<kernel_family::window, Taps, Stride>;
/// The toeplitz family's kernels for one filter and stride; zeros stand for any. Compiled for half
/// types only.
template <static_taps Taps, static_stride Stride>
using toeplitz_instance = instance<kernel_family::toeplitz, Taps, Stride>;
/// Kernels of the window family for any filter and stride that slide a window of a size known at
/// run time.
struct runtime_window_instance {
  using taps                            = any_taps;
  using stride                          = any_stride;
  static constexpr kernel_family family = kernel_family::window;
  static constexpr compiled_shape shape{family, taps::extent, stride::extent, true};
};
/// A kernel of the direct family; zeros stand for any.
template <static_taps Taps, static_stride Stride>
using direct_instance = instance<kernel_family::direct, Taps, Stride>;

/// What the doors compile when the caller names no filter.
using default_instances = instance_list<
  toeplitz_instance<any_taps, any_stride>,
  window_instance<taps<3, 3>, stride<1, 1>>, window_instance<taps<3, 3>, stride<2, 2>>,
  window_instance<taps<5, 5>, stride<1, 1>>, window_instance<taps<5, 5>, stride<2, 2>>,
  window_instance<taps<7, 7>, stride<1, 1>>, window_instance<taps<3, 1>, stride<1, 1>>,
  window_instance<taps<3, 7>, stride<1, 1>>, window_instance<taps<1, 4>, stride<1, 1>>,
  runtime_window_instance, window_instance<any_taps, any_stride>,
  direct_instance<any_taps, any_stride>>;

namespace instances {
/// Whether a thread of the window family holds this filter, and the input columns that a stride
/// spreads it over, in registers.
[[nodiscard]] constexpr bool suits_window(extent2 taps, extent2 stride) noexcept
{
  bool const known = taps.height > 0 && stride.height > 0;
  return known && taps.height <= 7 && taps.height * taps.width <= 49 && stride.height <= 4 &&
         stride.width <= 4;
}

template <static_taps Taps, static_stride Stride>
[[nodiscard]] constexpr auto for_filter()
{
  if constexpr (suits_window(Taps::extent, Stride::extent)) {
    return instance_list<toeplitz_instance<Taps, Stride>, window_instance<Taps, Stride>,
                         direct_instance<Taps, Stride>>{};
  } else {
    return instance_list<toeplitz_instance<Taps, Stride>, direct_instance<Taps, Stride>>{};
  }
}
}  // namespace instances

/// What the doors compile for one filter and stride: the window family's kernel where the filter is
/// small, and the direct family's for problems that the other does not take.
template <static_taps Taps, static_stride Stride>
using instances_for = decltype(instances::for_filter<Taps, Stride>());

}  // namespace dwconv
