// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/device/shared_memory.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

class alignas(8) transaction_barrier {
 public:
  void init(unsigned arrivals) { dwconv_emulation::barrier_init(&word_, arrivals); }
  void arrive() { dwconv_emulation::barrier_arrive(&word_, 0); }
  void arrive_and_expect(unsigned bytes) { dwconv_emulation::barrier_arrive(&word_, bytes); }
  void wait(unsigned parity) { dwconv_emulation::barrier_wait(&word_, parity); }

  [[nodiscard]] std::uint64_t* word() { return &word_; }

 private:
  std::uint64_t word_;
};

static_assert(sizeof(transaction_barrier) == 8);

inline void fence_barrier_init()
{
  dwconv_emulation::barrier_fence_init();
}

DWCONV_ABI_NAMESPACE_END
