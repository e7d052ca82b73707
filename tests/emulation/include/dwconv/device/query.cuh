// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/config.hpp>
#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/status.hpp>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

inline constexpr int oldest_compute_capability = 75;

[[nodiscard]] inline status query_device(int ordinal, device_facts& facts)
{
  auto const found = dwconv_emulation::device();
  if (!found) {
    return {.code = status_code::no_device, .argument = "device", .value = 0, .limit = 1};
  }
  if (ordinal < 0) {
    return {.code = status_code::too_small, .argument = "device", .value = ordinal, .limit = 0};
  }
  if (ordinal > 0) {
    return {.code = status_code::too_large, .argument = "device", .value = ordinal, .limit = 0};
  }
  if (found->compute_capability < oldest_compute_capability) {
    return {.code     = status_code::device_too_old,
            .argument = "compute capability",
            .value    = found->compute_capability,
            .limit    = oldest_compute_capability};
  }
  facts = *found;
  return {};
}

[[nodiscard]] inline status query_current_device(device_facts& facts)
{
  return query_device(0, facts);
}

DWCONV_ABI_NAMESPACE_END
