// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/element.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

template <element T>
[[nodiscard]] inline T load_read_only(T const* address)
{
  return *address;
}

DWCONV_ABI_NAMESPACE_END
