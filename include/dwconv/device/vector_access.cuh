// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/element.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Reads what no thread of the launch writes, through the read-only path.
template <element T>
[[nodiscard]] __device__ inline T load_read_only(T const* address)
{
  return __ldg(address);
}

DWCONV_ABI_NAMESPACE_END
