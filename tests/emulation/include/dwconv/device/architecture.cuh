// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The emulation has every instruction of sm_90.
[[nodiscard]] constexpr int architecture()
{
  return 90;
}

inline constexpr int warpgroup_threads = 128;

[[nodiscard]] constexpr bool compiled_for_warpgroups()
{
  return true;
}

DWCONV_ABI_NAMESPACE_END
