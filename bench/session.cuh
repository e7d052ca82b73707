// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

#include <cuda_runtime_api.h>

#include <dwconv/core/device_facts.hpp>

#include "cold_timer.hpp"
#include "copy_roof.cuh"
#include "device_memory.hpp"
#include "options.hpp"

namespace dwconv_bench {

class owned_stream {
 public:
  owned_stream()
  {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
  }
  owned_stream(owned_stream const&)            = delete;
  owned_stream& operator=(owned_stream const&) = delete;
  ~owned_stream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  [[nodiscard]] cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// What all cells share, made once: a lease of a GPU is too short to allocate per cell.
struct bench_session {
  bench_options options;
  dwconv::device_facts device;
  owned_stream owned{};
  cudaStream_t stream = owned.get();
  cold_timer timer{stream, device.l2_bytes, options.runs};
  device_memory tensors{};
  device_memory samples{};
  copy_roof roof{};

  [[nodiscard]] double copy_milliseconds(std::int64_t bytes)
  {
    return roof.milliseconds(bytes, tensors, timer, stream);
  }

  /// Keeps the device busy until its clocks have risen from idle.
  void wake_device()
  {
    using clock       = std::chrono::steady_clock;
    auto const enough = clock::now() + std::chrono::milliseconds{300};
    while (clock::now() < enough) {
      for (int i = 0; i < 64; ++i) { timer.flush_l2(); }
      check(cudaStreamSynchronize(stream), "warming up");
    }
  }
};

}  // namespace dwconv_bench
