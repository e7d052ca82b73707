// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

// Launches run one after the other here.
inline void wait_for_launch_before() {}
inline void let_next_launch_begin() {}
[[nodiscard]] constexpr bool launches_can_overlap(int) noexcept { return false; }

DWCONV_ABI_NAMESPACE_END
