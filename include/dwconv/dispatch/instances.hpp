// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/problem/static_shape.hpp>

namespace dwconv {

/// One filter and stride to compile a kernel for.
template <static_taps Taps, static_stride Stride>
struct instance {
  using taps   = Taps;
  using stride = Stride;
  static constexpr compiled_shape shape{Taps::extent, Stride::extent};
};

/// Kernels that a door compiles, the preferred first.
template <typename... Instances>
struct instance_list {
  static constexpr std::array<compiled_shape, sizeof...(Instances)> shapes{Instances::shape...};
};

/// What the doors compile when the caller names no filter.
using default_instances = instance_list<instance<any_taps, any_stride>>;

}  // namespace dwconv
