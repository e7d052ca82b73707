// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/core/status.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

namespace dispatch {

/// What a door says of a launch.
[[nodiscard]] constexpr status launch_status(cudaError_t error) noexcept
{
  if (error == cudaSuccess) { return {}; }
  return {.code = status_code::cuda_error, .cuda = error, .argument = "kernel launch"};
}

/// What a plan gets whose kernel is none of those compiled.
[[nodiscard]] constexpr status not_compiled() noexcept
{
  return {.code     = status_code::mismatch,
          .argument = "number of compiled instances of the plan",
          .limit    = 1};
}

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
