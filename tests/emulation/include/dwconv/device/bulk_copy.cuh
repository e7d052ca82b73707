// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/barrier.cuh>
#include <dwconv/device/shared_memory.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

inline void bulk_load(void* shared, void const* global, unsigned bytes,
                      transaction_barrier& barrier)
{
  dwconv_emulation::bulk_load(shared, global, bytes, barrier.word());
}

inline void bulk_load_passing(void* shared, void const* global, unsigned bytes,
                              transaction_barrier& barrier)
{
  dwconv_emulation::bulk_load(shared, global, bytes, barrier.word());
}

inline void bulk_store(void* global, void const* shared, unsigned bytes)
{
  dwconv_emulation::bulk_store(global, shared, bytes);
}

inline void bulk_commit()
{
  dwconv_emulation::bulk_commit();
}

template <int Pending>
inline void bulk_wait_read()
{
  dwconv_emulation::bulk_wait(Pending);
}

template <int Pending>
inline void bulk_wait()
{
  dwconv_emulation::bulk_wait(Pending);
}

inline void fence_before_bulk()
{
  dwconv_emulation::bulk_fence();
}

DWCONV_ABI_NAMESPACE_END
