// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

// A kernel may be launched so that it begins before the one before it has ended (see `launch`);
// then it has to wait for that one before it reads what that has written (PTX: griddepcontrol).
// sm_90 or newer; on older architectures kernels never begin early.

DWCONV_ABI_NAMESPACE_BEGIN

/// Waits until the launch before this one has ended and everything it wrote can be read. At once
/// where there is none, or this one did not begin early.
__device__ inline void wait_for_launch_before()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the launch after this one begin, if it may begin early, once every block has come here or
/// ended.
__device__ inline void let_next_launch_begin()
{
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/// Whether a device runs code of this program that knows how to wait: compiled for its own major
/// version, and that sm_90 or newer.
///
/// @param compute_capability Of the device, ten times major plus minor.
[[nodiscard]] constexpr bool launches_can_overlap([[maybe_unused]] int compute_capability) noexcept
{
#if defined(__CUDA_ARCH_LIST__)
  constexpr int compiled[] = {__CUDA_ARCH_LIST__};
  for (int const architecture : compiled) {
    int const capability = architecture / 10;
    if (capability >= 90 && capability / 10 == compute_capability / 10 &&
        capability <= compute_capability) {
      return true;
    }
  }
#endif
  return false;
}

DWCONV_ABI_NAMESPACE_END
