// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// The emulation has every instruction of sm_90.
[[nodiscard]] constexpr int architecture() { return 90; }

DWCONV_ABI_NAMESPACE_END
