// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/barrier.cuh>
#include <dwconv/device/shared_memory.cuh>

// Copies of many bytes that one thread starts and the copy engine performs (PTX: cp.async.bulk).
// sm_90 or newer; older architectures trap. Both addresses are multiples of 16, and `bytes` is a
// positive multiple of 16.

DWCONV_ABI_NAMESPACE_BEGIN

/// Starts a copy into shared memory. Its bytes count as landed on `barrier`, where this or another
/// thread announces them with `arrive_and_expect`; whoever waits for that phase may read them.
///
/// What the block read or wrote at `shared` before must have ended before the call, through a
/// barrier.
__device__ inline void bulk_load(void* shared, void const* global, unsigned bytes,
                                 transaction_barrier& barrier)
{
#if __CUDA_ARCH__ >= 900
  asm volatile(
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
      shared_address(shared)),
    "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(barrier.address())
    : "memory");
#else
  static_cast<void>(shared), static_cast<void>(global), static_cast<void>(bytes),
    static_cast<void>(barrier);
  __trap();
#endif
}

/// The same for what is read once: L2 lets it go first, so that it makes room for itself, and what
/// others left there stays.
__device__ inline void bulk_load_passing(void* shared, void const* global, unsigned bytes,
                                         transaction_barrier& barrier)
{
#if __CUDA_ARCH__ >= 900
  std::uint64_t policy;
  asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
  asm volatile(
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], "
    "%2, [%3], %4;" ::"r"(shared_address(shared)),
    "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(barrier.address()), "l"(policy)
    : "memory");
#else
  static_cast<void>(shared), static_cast<void>(global), static_cast<void>(bytes),
    static_cast<void>(barrier);
  __trap();
#endif
}

/// Starts a copy out of shared memory, as part of this thread's open group.
///
/// Every thread that wrote `shared` calls `fence_before_bulk`, then the block (or warp)
/// synchronises, then one thread stores, commits and, before it exits or anyone writes there again,
/// waits.
__device__ inline void bulk_store(void* global, void const* shared, unsigned bytes)
{
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                 __cvta_generic_to_global(global)),
               "r"(shared_address(shared)), "r"(bytes)
               : "memory");
#else
  static_cast<void>(global), static_cast<void>(shared), static_cast<void>(bytes);
  __trap();
#endif
}

/// Closes this thread's open group of bulk stores.
__device__ inline void bulk_commit()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#else
  __trap();
#endif
}

/// Waits until all but this thread's `Pending` youngest groups have read their shared memory.
template <int Pending>
__device__ inline void bulk_wait_read()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
#else
  __trap();
#endif
}

/// Waits until all but this thread's `Pending` youngest groups have written global memory.
template <int Pending>
__device__ inline void bulk_wait()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
#else
  __trap();
#endif
}

/// Makes this thread's earlier writes to shared memory visible to bulk stores, which another path
/// would let overtake.
__device__ inline void fence_before_bulk()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  __trap();
#endif
}

DWCONV_ABI_NAMESPACE_END
