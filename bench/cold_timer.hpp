// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <cuda_runtime_api.h>

#include "cuda_check.hpp"
#include "device_memory.hpp"

namespace dwconv_bench {

/// Times of one operation's cold runs, in milliseconds.
struct cold_times {
  double min, lower_quartile, median, upper_quartile, max;
};

/// Order statistics by linear interpolation. `milliseconds` must not be empty.
[[nodiscard]] inline cold_times summarize(std::vector<double> milliseconds)
{
  std::sort(milliseconds.begin(), milliseconds.end());
  auto const quantile = [&](double fraction) {
    double const place      = fraction * static_cast<double>(milliseconds.size() - 1);
    std::size_t const below = static_cast<std::size_t>(place);
    std::size_t const above = std::min(below + 1, milliseconds.size() - 1);
    double const share      = place - static_cast<double>(below);
    return milliseconds[below] + share * (milliseconds[above] - milliseconds[below]);
  };
  return {.min            = milliseconds.front(),
          .lower_quartile = quantile(0.25),
          .median         = quantile(0.5),
          .upper_quartile = quantile(0.75),
          .max            = milliseconds.back()};
}

/// Two events around one run.
class event_pair {
 public:
  event_pair()
  {
    check(cudaEventCreate(&start_), "cudaEventCreate");
    check(cudaEventCreate(&stop_), "cudaEventCreate");
  }
  event_pair(event_pair const&)            = delete;
  event_pair& operator=(event_pair const&) = delete;
  ~event_pair()
  {
    static_cast<void>(cudaEventDestroy(start_));
    static_cast<void>(cudaEventDestroy(stop_));
  }

  void start(cudaStream_t stream) { check(cudaEventRecord(start_, stream), "cudaEventRecord"); }
  void stop(cudaStream_t stream) { check(cudaEventRecord(stop_, stream), "cudaEventRecord"); }
  [[nodiscard]] double milliseconds() const
  {
    float elapsed = 0;
    check(cudaEventElapsedTime(&elapsed, start_, stop_), "cudaEventElapsedTime");
    return elapsed;
  }

 private:
  cudaEvent_t start_ = nullptr;
  cudaEvent_t stop_  = nullptr;
};

/// Times what is enqueued on one stream, each run after the L2 cache was overwritten.
///
/// All runs are enqueued before the first is waited for. Overwriting L2 takes the device longer
/// than enqueuing a run takes the host, so no run waits for its launch between its two events.
class cold_timer {
 public:
  cold_timer(cudaStream_t stream, std::int64_t l2_bytes, int runs)
    : stream_{stream},
      flush_bytes_{std::max(2 * l2_bytes, std::int64_t{32} << 20)},
      events_(static_cast<std::size_t>(runs))
  {
    static_cast<void>(flush_.reserve(flush_bytes_));
  }

  /// @param enqueue Called without arguments, a few times to warm up and then once per timed run.
  template <typename Enqueue>
  [[nodiscard]] cold_times measure(Enqueue const& enqueue)
  {
    constexpr int warm_ups = 3;
    for (int i = 0; i < warm_ups; ++i) {
      flush_l2();
      enqueue();
    }
    for (event_pair& run : events_) {
      flush_l2();
      run.start(stream_);
      enqueue();
      run.stop(stream_);
    }
    check(cudaStreamSynchronize(stream_), "timed runs");
    std::vector<double> milliseconds;
    for (event_pair const& run : events_) { milliseconds.push_back(run.milliseconds()); }
    return summarize(std::move(milliseconds));
  }

  void flush_l2()
  {
    check(cudaMemsetAsync(flush_.reserve(flush_bytes_), 0x5a,
                          static_cast<std::size_t>(flush_bytes_), stream_),
          "cudaMemsetAsync of the L2 flush");
  }

 private:
  cudaStream_t stream_;
  std::int64_t flush_bytes_;
  device_memory flush_;
  std::vector<event_pair> events_;
};

}  // namespace dwconv_bench
