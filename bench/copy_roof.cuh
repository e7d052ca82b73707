// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>

#include "cold_timer.hpp"
#include "device_memory.hpp"
#include "random_data.cuh"

namespace dwconv_bench {

/// What a device-to-device copy takes that moves as many bytes as an operation must.
class copy_roof {
 public:
  /// Cold median, in milliseconds, of copying `bytes / 2` bytes: as many are read as written.
  ///
  /// Measured once per number of bytes. Overwrites `memory`, so the cell fills its tensors later.
  [[nodiscard]] double milliseconds(std::int64_t bytes, device_memory& memory, cold_timer& timer,
                                    cudaStream_t stream)
  {
    auto const [known, is_new] = median_of_.emplace(bytes, 0.0);
    if (!is_new) { return known->second; }
    try {
      known->second = measure(bytes / 2, memory, timer, stream);
    } catch (...) {
      median_of_.erase(known);
      throw;
    }
    return known->second;
  }

 private:
  [[nodiscard]] static double measure(std::int64_t bytes, device_memory& memory, cold_timer& timer,
                                      cudaStream_t stream)
  {
    std::byte* const source = memory.reserve(2 * aligned_bytes(bytes));
    std::byte* const target = source + aligned_bytes(bytes);
    // Zeros would copy faster: the memory saves the power of bits that do not change.
    fill_random(reinterpret_cast<double*>(source),
                aligned_bytes(bytes) / static_cast<std::int64_t>(sizeof(double)), 0, stream);
    auto const copy = [&] {
      check(cudaMemcpyAsync(target, source, static_cast<std::size_t>(bytes),
                            cudaMemcpyDeviceToDevice, stream),
            "cudaMemcpyAsync of the copy roof");
    };
    return timer.measure(copy).median;
  }

  std::map<std::int64_t, double> median_of_;
};

}  // namespace dwconv_bench
