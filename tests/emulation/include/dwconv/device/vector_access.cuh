// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include <dwconv/core/element.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

template <element T>
[[nodiscard]] inline T load_read_only(T const* address)
{
  return *address;
}

template <element T>
inline constexpr int vector_elements = 16 / static_cast<int>(sizeof(T));

template <element T>
[[nodiscard]] inline bool is_vector_aligned(T const* address)
{
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

template <element T>
inline void load_vector_read_only(T const* address, T (&values)[vector_elements<T>])
{
  if (!is_vector_aligned(address)) { dwconv_emulation::fail("a vector load is misaligned"); }
  std::memcpy(static_cast<void*>(&values), address, sizeof values);
}

DWCONV_ABI_NAMESPACE_END
