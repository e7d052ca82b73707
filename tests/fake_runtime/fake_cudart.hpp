// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <cuda_runtime_api.h>

#include <dwconv/core/device_facts.hpp>

/// A CUDA runtime that has no driver and runs nothing: it answers as one GPU would and writes down
/// what it was asked. It is linked in place of libcudart, so a call it does not know does not link.
namespace fake_cudart {

/// One call of the runtime's API, in the order made.
struct call {
  std::string name;
  cudaStream_t stream      = nullptr;  ///< For those that take one.
  dim3 grid                = {0, 0, 0};
  dim3 block               = {0, 0, 0};
  std::size_t shared_bytes = 0;
  std::string kernel;  ///< Mangled name, for a launch.
};

/// What the runtime pretends.
struct machine {
  int devices                = 1;
  int current                = 0;
  dwconv::device_facts facts = dwconv::h200_facts;
  cudaError_t launch_result  = cudaSuccess;
};

/// To be read and set by tests, which are single threaded.
machine& pretended();
std::vector<call>& calls();

/// One H200, nothing recorded.
void reset();

}  // namespace fake_cudart
