// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

template <typename T>
[[nodiscard]] inline T* dynamic_shared_memory()
{
  static_assert(alignof(T) <= 128, "dynamic shared memory is aligned to 128 bytes");
  return static_cast<T*>(dwconv_emulation::shared_memory());
}

DWCONV_ABI_NAMESPACE_END
