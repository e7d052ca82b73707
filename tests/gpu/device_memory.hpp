// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <cuda_runtime.h>

#include "support/device_buffer.hpp"

/// Device memory too large to be copied: written and sampled where it lies.
template <typename T>
class device_memory {
 public:
  explicit device_memory(std::int64_t elements) : elements_{elements}
  {
    void* memory = nullptr;
    require_cuda(cudaMalloc(&memory, bytes()), "cudaMalloc");
    memory_.reset(static_cast<T*>(memory));
    require_cuda(cudaMemset(memory, 0xFF, bytes()), "cudaMemset");  // NaN
    require_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  [[nodiscard]] T* data() { return memory_.get(); }
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::size_t bytes() const
  {
    return static_cast<std::size_t>(elements_) * sizeof(T);
  }

 private:
  struct release {
    void operator()(T* memory) const { static_cast<void>(cudaFree(memory)); }
  };
  std::int64_t elements_;
  std::unique_ptr<T, release> memory_;
};

/// Ends the program as skipped, not as passed, where the GPU has less free memory than a test
/// needs.
inline void need_device_memory(std::int64_t bytes)
{
  constexpr int skipped  = 77;  // SKIP_RETURN_CODE in CMake
  constexpr double gib   = 1 << 30;
  std::size_t free_bytes = 0, all_bytes = 0;
  require_cuda(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo");
  std::printf("needs %.1f GiB of GPU memory, %.1f GiB free\n", static_cast<double>(bytes) / gib,
              static_cast<double>(free_bytes) / gib);
  if (static_cast<std::int64_t>(free_bytes) < bytes) {
    std::puts("too little GPU memory: skipped");
    std::fflush(stdout);
    std::exit(skipped);
  }
}
