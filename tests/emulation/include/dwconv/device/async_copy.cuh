// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/shared_memory.cuh>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

template <int Bytes>
inline void async_copy(void* shared, void const* global, int valid_bytes = Bytes)
{
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
  dwconv_emulation::async_copy(shared, global, Bytes, static_cast<unsigned>(valid_bytes));
}

inline void async_commit()
{
  dwconv_emulation::async_commit();
}

template <int Pending>
inline void async_wait()
{
  dwconv_emulation::async_wait(Pending);
}

DWCONV_ABI_NAMESPACE_END
