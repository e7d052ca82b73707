// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include <cuda_runtime_api.h>

#include <dwconv/core/status.hpp>

namespace dwconv_bench {

/// @throws std::runtime_error with the runtime's own words unless `error` is success.
inline void check(cudaError_t error, char const* call)
{
  if (error == cudaSuccess) { return; }
  static_cast<void>(cudaGetLastError());  // reported here; it must not fail the next cell's calls
  throw std::runtime_error{std::string{call} + ": " + cudaGetErrorString(error)};
}

/// @throws std::runtime_error with the status's message unless it is success.
inline void check(dwconv::status const& status)
{
  if (!status.ok()) { throw std::runtime_error{status.message()}; }
}

}  // namespace dwconv_bench
