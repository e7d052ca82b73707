// SPDX-License-Identifier: Apache-2.0
#pragma once

#if !defined(__CUDACC__)
#error \
  "dwconv's kernels need the CUDA compiler: compile this file with nvcc (CMake: language CUDA). Headers named .hpp work anywhere."
#endif

#include <cuda_runtime.h>

#include <dwconv/core/config.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Grid of one launch.
struct launch_shape {
  dim3 grid;
  dim3 block;
  unsigned shared_bytes = 0;  ///< Dynamic shared memory per block.
  bool early = false;  ///< May begin before the kernel before has ended, which it waits for itself.
};

/// Enqueues `kernel(arguments...)` on `stream` and returns what the runtime said; never
/// synchronises.
///
/// More dynamic shared memory than a block gets by default is asked for here.
template <typename... Parameters, typename... Arguments>
[[nodiscard]] cudaError_t launch(void (*kernel)(Parameters...), launch_shape const& shape,
                                 cudaStream_t stream, Arguments const&... arguments)
{
  constexpr unsigned granted_without_asking = 48 * 1024;
  if (shape.shared_bytes > granted_without_asking) {
    cudaError_t const granted = cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
    if (granted != cudaSuccess) { return granted; }
  }
  cudaLaunchConfig_t config{};
  config.gridDim          = shape.grid;
  config.blockDim         = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream           = stream;
  cudaLaunchAttribute overlap{};
  if (shape.early) {
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;

    config.attrs    = &overlap;
    config.numAttrs = 1;
  }
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

DWCONV_ABI_NAMESPACE_END
