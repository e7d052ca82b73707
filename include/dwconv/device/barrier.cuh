// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/shared_memory.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// A barrier in shared memory that counts arriving threads and landing bytes (PTX: mbarrier). sm_90
/// or newer; older architectures trap.
///
/// It runs through phases 0, 1, 2, ... A phase is complete once as many threads have arrived as
/// `init` said and every byte they announced has landed; the next begins at once. `wait` takes the
/// parity of the phase it waits for, so a thread may be at most one phase behind. Waiting for
/// parity 1 on a fresh barrier returns at once.
///
/// Lives in shared memory, aligned to 8 bytes, and has no constructor: one thread calls `init`,
/// then `fence_barrier_init`, and the block synchronises before anyone else uses it.
class alignas(8) transaction_barrier {
 public:
  /// `arrivals` threads arrive in each phase, 1 to 2^20 - 1.
  __device__ void init(unsigned arrivals)
  {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address()), "r"(arrivals)
                 : "memory");
#else
    static_cast<void>(arrivals);
    __trap();
#endif
  }

  /// Arrives; what this thread wrote before, a waiter may read after.
  __device__ void arrive()
  {
#if __CUDA_ARCH__ >= 900
    [[maybe_unused]] std::uint64_t state;
    asm volatile("mbarrier.arrive.shared::cta.b64 %0, [%1];"
                 : "=l"(state)
                 : "r"(address())
                 : "memory");
#else
    __trap();
#endif
  }

  /// Announces that `bytes` more bytes land in this phase, at most 2^20 - 1 outstanding at a time,
  /// and arrives.
  __device__ void arrive_and_expect(unsigned bytes)
  {
#if __CUDA_ARCH__ >= 900
    [[maybe_unused]] std::uint64_t state;
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 %0, [%1], %2;"
                 : "=l"(state)
                 : "r"(address()), "r"(bytes)
                 : "memory");
#else
    static_cast<void>(bytes);
    __trap();
#endif
  }

  /// Waits until the phase of this parity (0 or 1) is complete.
  __device__ void wait(unsigned parity)
  {
#if __CUDA_ARCH__ >= 900
    // try_wait sleeps in hardware for a while, then reports failure: hence the loop.
    unsigned done = 0;
    while (done == 0) {
      asm volatile(
        "{\n\t"
        ".reg .pred complete;\n\t"
        "mbarrier.try_wait.parity.shared::cta.b64 complete, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, complete;\n\t"
        "}"
        : "=r"(done)
        : "r"(address()), "r"(parity)
        : "memory");
    }
#else
    static_cast<void>(parity);
    __trap();
#endif
  }

  /// The barrier's shared-memory address, for the copies that signal it. For this room only.
  [[nodiscard]] __device__ std::uint32_t address() const
  {
    return shared_address(&word_);
  }

 private:
  std::uint64_t word_;
};

static_assert(sizeof(transaction_barrier) == 8);

/// Makes the barriers this thread has initialised visible to bulk copies. The block synchronises
/// after it.
__device__ inline void fence_barrier_init()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
  __trap();
#endif
}

DWCONV_ABI_NAMESPACE_END
