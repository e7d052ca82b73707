// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <cuda_runtime_api.h>

#include "cuda_check.hpp"
#include "usage_error.hpp"

namespace dwconv_bench {

/// Bytes rounded up so that whatever lies behind them starts as cudaMalloc would have it.
[[nodiscard]] constexpr std::int64_t aligned_bytes(std::int64_t bytes) noexcept
{
  constexpr std::int64_t alignment = 256;
  return (bytes + alignment - 1) / alignment * alignment;
}

/// Device memory that only grows: one allocation serves every cell that fits.
class device_memory {
 public:
  device_memory()                                = default;
  device_memory(device_memory const&)            = delete;
  device_memory& operator=(device_memory const&) = delete;
  ~device_memory() { static_cast<void>(cudaFree(data_)); }

  /// At least `bytes` bytes; what they held before is lost when the memory has to grow.
  ///
  /// @throws cell_refused if the device has no room.
  [[nodiscard]] std::byte* reserve(std::int64_t bytes)
  {
    if (bytes > bytes_) { grow(bytes); }
    return static_cast<std::byte*>(data_);
  }

 private:
  void grow(std::int64_t bytes)
  {
    check(cudaFree(data_), "cudaFree");  // first: old and new together might not fit
    data_                   = nullptr;
    bytes_                  = 0;
    cudaError_t const error = cudaMalloc(&data_, static_cast<std::size_t>(bytes));
    if (error == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());
      std::size_t free = 0, total = 0;
      check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
      throw cell_refused{"needs " + std::to_string(bytes) + " bytes of device memory, " +
                         std::to_string(free) + " are free"};
    }
    check(error, "cudaMalloc");
    bytes_ = bytes;
  }

  void* data_         = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace dwconv_bench
