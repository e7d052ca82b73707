// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cuda_handles.cuh"

namespace examples {

inline constexpr int cold_runs = 30;

/// Bytes that push everything else out of the current device's L2 cache.
[[nodiscard]] inline std::int64_t flush_bytes()
{
  int device = 0, l2 = 0;
  require(cudaGetDevice(&device), "cudaGetDevice");
  require(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device), "cudaDeviceGetAttribute");
  return std::max<std::int64_t>(2 * std::int64_t{l2}, 1 << 20);
}

/// Median milliseconds of what `enqueue(stream)` enqueues, the L2 cache flushed before each run.
///
/// The flush keeps the GPU busy while the host enqueues, so that launch latency is not in the time.
template <typename Enqueue>
[[nodiscard]] double median_cold_ms(cudaStream_t stream, Enqueue const& enqueue)
{
  device_buffer<unsigned char> flush{flush_bytes()};
  auto const begin = make_event();
  auto const end   = make_event();
  std::vector<float> times;
  for (int run = -3; run < cold_runs; ++run) {  // three to warm up
    flush.poison(stream);
    require(cudaEventRecord(begin.get(), stream), "cudaEventRecord");
    enqueue(stream);
    require(cudaEventRecord(end.get(), stream), "cudaEventRecord");
    require(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
    float ms = 0;
    require(cudaEventElapsedTime(&ms, begin.get(), end.get()), "cudaEventElapsedTime");
    if (run >= 0) { times.push_back(ms); }
  }
  std::nth_element(times.begin(), times.begin() + cold_runs / 2, times.end());
  return times[cold_runs / 2];
}

}  // namespace examples
