// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>

#include <dwconv/core/extent.hpp>

namespace dwconv {

/// Filter size as a type, for kernels compiled for it; zero means known at run time only.
template <int Height, int Width>
struct taps {
  static_assert((Height > 0 && Width > 0) || (Height == 0 && Width == 0),
                "a filter has at least one tap on each axis");
  static constexpr extent2 extent{Height, Width};
};

/// Stride as a type, for kernels compiled for it; zero means known at run time only.
template <int Height, int Width>
struct stride {
  static_assert((Height > 0 && Width > 0) || (Height == 0 && Width == 0),
                "a stride is at least one on each axis");
  static constexpr extent2 extent{Height, Width};
};

using any_taps   = taps<0, 0>;    ///< A filter size known at run time only.
using any_stride = stride<0, 0>;  ///< A stride known at run time only.

namespace static_shape_check {
template <int Height, int Width>
constexpr bool is_taps(taps<Height, Width>)
{
  return true;
}
template <int Height, int Width>
constexpr bool is_stride(stride<Height, Width>)
{
  return true;
}
}  // namespace static_shape_check

/// `taps<...>`.
template <typename T>
concept static_taps = requires(T shape)
{
  static_shape_check::is_taps(shape);
};
/// `stride<...>`.
template <typename T>
concept static_stride = requires(T shape)
{
  static_shape_check::is_stride(shape);
};

}  // namespace dwconv
