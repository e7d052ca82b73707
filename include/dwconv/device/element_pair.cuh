// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>

#include <dwconv/core/element.cuh>
#include <dwconv/device/convert.cuh>

// Two neighbouring 16-bit elements as one 32-bit word, the first in its low half: what a register
// of the tensor cores' fragments holds.

DWCONV_ABI_NAMESPACE_BEGIN

/// A word that may be read where elements were written, and the other way round.
__extension__ typedef std::uint32_t __attribute__((may_alias)) element_pair;

/// Reads two neighbours; the address is a multiple of 4.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline std::uint32_t load_pair(T const* address)
{
  static_assert(sizeof(T) == 2);
  return *reinterpret_cast<element_pair const*>(address);
}

/// Writes two neighbours; the address is a multiple of 4.
template <typename T>
DWCONV_HOST_DEVICE inline void store_pair(T* address, std::uint32_t pair)
{
  static_assert(sizeof(T) == 2);
  *reinterpret_cast<element_pair*>(address) = pair;
}

/// 32 of the 64 bits of `high` and `low`, from bit `shift` on, 0 or 16: elements that begin in the
/// middle of a word.
[[nodiscard]] DWCONV_HOST_DEVICE inline std::uint32_t funnel_pair(std::uint32_t low,
                                                                  std::uint32_t high, int shift)
{
#if defined(__CUDA_ARCH__)
  return __funnelshift_r(low, high, static_cast<unsigned>(shift));
#else
  return static_cast<std::uint32_t>((std::uint64_t{high} << 32 | low) >> shift);
#endif
}

/// Two sums as elements, each rounded to nearest even.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline std::uint32_t pair_from_sums(float first, float second)
{
  static_assert(std::same_as<T, __half> || std::same_as<T, __nv_bfloat16>);
  std::uint32_t pair;
  if constexpr (std::same_as<T, __half>) {
    __half2 const both = __floats2half2_rn(first, second);
    memcpy(&pair, &both, sizeof pair);
  } else {
    __nv_bfloat162 const both = __floats2bfloat162_rn(first, second);
    memcpy(&pair, &both, sizeof pair);
  }
  return pair;
}

/// The first of two neighbours as the type that products are summed in, or the second; exact.
template <typename T, int Which>
[[nodiscard]] DWCONV_HOST_DEVICE inline float sum_from_pair(std::uint32_t pair)
{
  static_assert(sizeof(T) == 2);
  auto const bits = static_cast<std::uint16_t>(Which == 0 ? pair : pair >> 16);
  T element;
  memcpy(static_cast<void*>(&element), &bits, sizeof element);
  return to_sum(element);
}

/// Two elements side by side.
template <typename T>
[[nodiscard]] DWCONV_HOST_DEVICE inline std::uint32_t pair_of(T first, T second)
{
  static_assert(sizeof(T) == 2);
  std::uint16_t low, high;
  memcpy(&low, &first, sizeof low);
  memcpy(&high, &second, sizeof high);
  return low | static_cast<std::uint32_t>(high) << 16;
}

DWCONV_ABI_NAMESPACE_END
