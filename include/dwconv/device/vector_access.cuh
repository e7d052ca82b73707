// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>

#include <dwconv/core/element.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Reads what no thread of the launch writes, through the read-only path.
template <element T>
[[nodiscard]] __device__ inline T load_read_only(T const* address)
{
  return __ldg(address);
}

/// Elements in 16 bytes.
template <element T>
inline constexpr int vector_elements = 16 / static_cast<int>(sizeof(T));

/// Whether 16 bytes may be read from an address at once.
template <element T>
[[nodiscard]] __device__ inline bool is_vector_aligned(T const* address)
{
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

/// Reads 16 bytes that no thread of the launch writes; the address is a multiple of 16.
template <element T>
__device__ inline void load_vector_read_only(T const* address, T (&values)[vector_elements<T>])
{
  uint4 const word = __ldg(reinterpret_cast<uint4 const*>(address));
  memcpy(&values, &word, sizeof word);
}

DWCONV_ABI_NAMESPACE_END
