// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/element.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// An element as the type its products are summed in; exact.
template <element T>
[[nodiscard]] DWCONV_HOST_DEVICE inline sum_of<T> to_sum(T value)
{
  if constexpr (dtype_of<T> == dtype::float16) {
    return __half2float(value);
  } else if constexpr (dtype_of<T> == dtype::bfloat16) {
    return __bfloat162float(value);
  } else {
    return value;
  }
}

/// A sum as an element, rounded to nearest even.
template <element T>
[[nodiscard]] DWCONV_HOST_DEVICE inline T from_sum(sum_of<T> value)
{
  if constexpr (dtype_of<T> == dtype::float16) {
    return __float2half_rn(value);
  } else if constexpr (dtype_of<T> == dtype::bfloat16) {
    return __float2bfloat16_rn(value);
  } else {
    return value;
  }
}

DWCONV_ABI_NAMESPACE_END
