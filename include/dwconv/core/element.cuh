// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <dwconv/core/dtype.hpp>

namespace dwconv {

/// What a C++ element type is called at run time and what its products are summed in.
template <typename T>
struct element_traits;

/// float32, summed in float.
template <>
struct element_traits<float> {
  static constexpr dtype type = dtype::float32;
  using sum_type              = float;
};

/// float64, summed in double.
template <>
struct element_traits<double> {
  static constexpr dtype type = dtype::float64;
  using sum_type              = double;
};

/// float16, summed in float.
template <>
struct element_traits<__half> {
  static constexpr dtype type = dtype::float16;
  using sum_type              = float;
};

/// bfloat16, summed in float.
template <>
struct element_traits<__nv_bfloat16> {
  static constexpr dtype type = dtype::bfloat16;
  using sum_type              = float;
};

/// float, double, __half or __nv_bfloat16.
template <typename T>
concept element = requires
{
  typename element_traits<T>::sum_type;
};

/// The run-time name of a C++ element type.
template <element T>
inline constexpr dtype dtype_of = element_traits<T>::type;

/// Half types are summed in float, float in float, double in double.
template <element T>
using sum_of = typename element_traits<T>::sum_type;

/// What the gradient of a filter or bias of T may be kept in: T itself, or float.
template <typename Gradient, typename T>
concept gradient_of = element<T> &&(std::same_as<Gradient, T> || std::same_as<Gradient, float>);

}  // namespace dwconv
