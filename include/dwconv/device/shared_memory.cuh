// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The block's dynamic shared memory, aligned to 128 bytes; the launch says how large it is.
///
/// One untyped array for every kernel: two `extern __shared__` arrays of one name and different
/// types do not compile.
template <typename T>
[[nodiscard]] __device__ inline T* dynamic_shared_memory()
{
  static_assert(alignof(T) <= 128, "dynamic shared memory is aligned to 128 bytes");
  extern __shared__ __align__(128) unsigned char dwconv_dynamic_shared_memory[];
  return reinterpret_cast<T*>(dwconv_dynamic_shared_memory);
}

/// A shared-memory pointer as the 32-bit address that PTX instructions take. For this room only.
[[nodiscard]] __device__ inline std::uint32_t shared_address(void const* pointer)
{
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

DWCONV_ABI_NAMESPACE_END
