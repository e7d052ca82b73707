// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <dwconv/device/launch.cuh>

#include "engine.hpp"
#include "support/device_buffer.hpp"

/// How one run of a kernel `void(float* out)` ended.
struct verdict {
  cudaError_t error;
  std::string sentence;  ///< Of the engine; empty after success.
  std::vector<float> out;

  [[nodiscard]] bool says(std::string const& part) const
  {
    return error == cudaErrorLaunchFailure && sentence.find(part) != std::string::npos;
  }
};

/// Runs `kernel(out)` in one block under `plan`.
[[nodiscard]] inline verdict run_kernel(void (*kernel)(float*), unsigned threads,
                                        unsigned shared_bytes, emulation::schedule plan = {})
{
  auto const before = emulation::current_schedule();
  emulation::set_schedule(plan);
  device_buffer<float> out{threads, poison{}};
  auto const error = dwconv::launch(
    kernel, {.grid = 1, .block = threads, .shared_bytes = shared_bytes}, test_stream(), out.data());
  emulation::set_schedule(before);
  return {error, emulation::last_error(), out.read()};
}

/// Schedules under which `kernel` failed, or left anything but `expected(thread)` in out[thread].
template <typename Expected>
[[nodiscard]] int schedules_that_object(void (*kernel)(float*), unsigned threads,
                                        unsigned shared_bytes, Expected const& expected)
{
  int objections = 0;
  for (auto const& plan : emulation::every_schedule) {
    auto const result = run_kernel(kernel, threads, shared_bytes, plan);
    bool right        = result.error == cudaSuccess;
    for (std::size_t i = 0; i < result.out.size(); ++i) {
      right = right && result.out[i] == expected(i);
    }
    objections += right ? 0 : 1;
  }
  return objections;
}
