// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// What the code around the call is compiled for: ten times major plus minor, 90 for sm_90. On the
/// host, 0.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr int architecture()
{
#if defined(__CUDA_ARCH__)
  return __CUDA_ARCH__ / 10;
#else
  return 0;
#endif
}

/// Threads of a warpgroup.
inline constexpr int warpgroup_threads = 128;

/// Whether the code around the call is compiled with the matrix products of warpgroups: for sm_90a,
/// not for sm_90. On the host, false.
[[nodiscard]] DWCONV_HOST_DEVICE constexpr bool compiled_for_warpgroups()
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  return true;
#else
  return false;
#endif
}

DWCONV_ABI_NAMESPACE_END
