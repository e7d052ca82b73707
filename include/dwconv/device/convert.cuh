// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

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

/// sum + x * weight in one rounding on a GPU, whatever surrounds it, so that every kernel gets the
/// same bits.
template <typename Sum>
[[nodiscard]] DWCONV_HOST_DEVICE inline Sum multiply_add(Sum x, Sum weight, Sum sum)
{
#ifdef __CUDA_ARCH__
  return fma(x, weight, sum);
#else
  return sum + x * weight;
#endif
}

/// A number that the compiler takes as it comes: it neither works it out again where it is used,
/// nor remembers the comparison that a mask was made from and branches on that.
template <typename Word>
[[nodiscard]] DWCONV_HOST_DEVICE inline Word opaque(Word value)
{
  static_assert(sizeof(Word) == 4);
  asm volatile("" : "+r"(value));
  return value;
}

/// `value` where `mask` is all ones, zero where it is none; never looks at the value as a number,
/// so that what lies outside an image may be anything.
template <element T>
[[nodiscard]] DWCONV_HOST_DEVICE inline T keep_bits(T value, unsigned mask)
{
  if constexpr (sizeof(T) == 8) {
    std::uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= mask | std::uint64_t{mask} << 32;
    memcpy(&value, &bits, sizeof bits);
  } else if constexpr (sizeof(T) == 4) {
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= mask;
    memcpy(&value, &bits, sizeof bits);
  } else {
    std::uint16_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = static_cast<std::uint16_t>(bits & mask);
    memcpy(&value, &bits, sizeof bits);
  }
  return value;
}

DWCONV_ABI_NAMESPACE_END
