// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/shared_memory.cuh>

// Small copies into shared memory that do not pass through registers (PTX: cp.async). sm_80 or
// newer; sm_75 traps.

DWCONV_ABI_NAMESPACE_BEGIN

/// Starts a copy of `valid_bytes` (0 to Bytes) bytes as part of this thread's open group; the rest
/// of Bytes becomes zero. Both addresses are multiples of Bytes. With 0 valid bytes nothing is
/// read.
template <int Bytes>
__device__ inline void async_copy(void* shared, void const* global, int valid_bytes = Bytes)
{
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  if constexpr (Bytes == 16) {  // only this width can leave L1 alone
    asm volatile("cp.async.cg.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "n"(Bytes), "r"(valid_bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "n"(Bytes), "r"(valid_bytes)
                 : "memory");
  }
#else
  static_cast<void>(shared), static_cast<void>(global), static_cast<void>(valid_bytes);
  __trap();
#endif
}

/// Closes this thread's open group, which may be empty.
__device__ inline void async_commit()
{
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#else
  __trap();
#endif
}

/// Waits until all but this thread's `Pending` youngest groups have landed. Other threads see them
/// after a barrier.
template <int Pending>
__device__ inline void async_wait()
{
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#else
  __trap();
#endif
}

DWCONV_ABI_NAMESPACE_END
