// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <benchmark/benchmark.h>
#include <cuda_runtime_api.h>

#include <dwconv/version.hpp>

#include "cuda_check.hpp"
#include "options.hpp"

namespace dwconv_bench {

/// "13.0" from the 13000 that the runtime speaks of.
[[nodiscard]] inline std::string cuda_version_text(int version)
{
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Writes down where the numbers come from: numbers of two runs compare only where these agree.
inline void add_run_context(bench_options const& options, std::string const& toolkit)
{
  int device = 0, driver = 0, runtime = 0, clock_khz = 0, memory_clock_khz = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
  check(cudaRuntimeGetVersion(&runtime), "cudaRuntimeGetVersion");
  check(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, device), "clock rate");
  check(cudaDeviceGetAttribute(&memory_clock_khz, cudaDevAttrMemoryClockRate, device),
        "memory clock rate");

  using std::to_string;
  benchmark::AddCustomContext("gpu", properties.name);
  benchmark::AddCustomContext("cuda_driver", cuda_version_text(driver));
  benchmark::AddCustomContext("cuda_runtime", cuda_version_text(runtime));
  benchmark::AddCustomContext("cuda_toolkit", toolkit);
  benchmark::AddCustomContext("dwconv_version", to_string(DWCONV_VERSION_MAJOR) + "." +
                                                  to_string(DWCONV_VERSION_MINOR) + "." +
                                                  to_string(DWCONV_VERSION_PATCH));
  benchmark::AddCustomContext("multiprocessors", to_string(properties.multiProcessorCount));
  benchmark::AddCustomContext("l2_bytes", to_string(properties.l2CacheSize));
  benchmark::AddCustomContext("sm_clock_mhz", to_string(clock_khz / 1000));
  benchmark::AddCustomContext("memory_clock_mhz", to_string(memory_clock_khz / 1000));
  benchmark::AddCustomContext("cold_runs", to_string(options.runs));
  benchmark::AddCustomContext("outputs_checked", options.check ? "yes" : "no");
}

}  // namespace dwconv_bench
