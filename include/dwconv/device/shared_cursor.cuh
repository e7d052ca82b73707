// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/element.cuh>
#include <dwconv/device/shared_memory.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// A place in shared memory that moves on by elements of 16 bits.
///
/// A register of 32 bits, and an instruction to move it: compilers keep a pointer that moves as an
/// index instead, and form its address anew for each access.
template <typename T>
class shared_cursor {
 public:
  static_assert(sizeof(T) == 2);

  shared_cursor() = default;
  __device__ explicit shared_cursor(T const* place) : address_{shared_address(place)} {}

  __device__ void advance(int elements)
  {
    address_ += static_cast<std::uint32_t>(elements * static_cast<int>(sizeof(T)));
  }

  /// Reads two neighbours, the first `Ahead` elements on, at a multiple of 4 bytes.
  template <int Ahead>
  [[nodiscard]] __device__ std::uint32_t load_pair() const
  {
    std::uint32_t pair;
    asm volatile("ld.shared.u32 %0, [%1 + %2];"
                 : "=r"(pair)
                 : "r"(address_), "n"(Ahead * static_cast<int>(sizeof(T)))
                 : "memory");
    return pair;
  }

  /// Writes two neighbours at a multiple of 4 bytes.
  __device__ void store_pair(std::uint32_t pair) const
  {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(address_), "r"(pair) : "memory");
  }

  /// Writes the low half of `pair`, or its high half one element on.
  template <int Half>
  __device__ void store_half(std::uint32_t pair) const
  {
    auto const element = static_cast<std::uint16_t>(Half == 0 ? pair : pair >> 16);
    asm volatile("st.shared.u16 [%0 + %1], %2;" ::"r"(address_),
                 "n"(Half * static_cast<int>(sizeof(T))), "h"(element)
                 : "memory");
  }

 private:
  std::uint32_t address_;
};

DWCONV_ABI_NAMESPACE_END
