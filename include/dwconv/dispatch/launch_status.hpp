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

}  // namespace dispatch

DWCONV_ABI_NAMESPACE_END
