// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include <dwconv/core/element.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

template <typename T>
class shared_cursor {
 public:
  static_assert(sizeof(T) == 2);

  shared_cursor() = default;
  // Kernels write through a cursor only where the place was theirs to write.
  explicit shared_cursor(T const* place) : place_{reinterpret_cast<std::uintptr_t>(place)} {}

  void advance(int elements)
  {
    place_ += static_cast<std::uintptr_t>(static_cast<std::intptr_t>(elements) * 2);
  }

  template <int Ahead>
  [[nodiscard]] std::uint32_t load_pair() const
  {
    auto const* const from = reinterpret_cast<unsigned char const*>(place_) + 2 * Ahead;
    check(from, 4);
    std::uint32_t pair;
    std::memcpy(&pair, from, sizeof pair);
    return pair;
  }

  void store_pair(std::uint32_t pair) const
  {
    auto* const to = reinterpret_cast<unsigned char*>(place_);
    check(to, 4);
    std::memcpy(to, &pair, sizeof pair);
  }

  template <int Half>
  void store_half(std::uint32_t pair) const
  {
    auto const element = static_cast<std::uint16_t>(Half == 0 ? pair : pair >> 16);
    auto* const to     = reinterpret_cast<unsigned char*>(place_) + 2 * Half;
    check(to, 2);
    std::memcpy(to, &element, sizeof element);
  }

 private:
  static void check(unsigned char const* address, unsigned bytes)
  {
    dwconv_emulation::require_shared(address, bytes, "shared_cursor");
    if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) {
      dwconv_emulation::fail("shared_cursor: an address that is not a multiple of the access's size");
    }
  }

  std::uintptr_t place_;
};

DWCONV_ABI_NAMESPACE_END
