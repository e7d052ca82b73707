// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_runtime_api.h>

#include <dwconv/core/config.hpp>
#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/device/architecture.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// Oldest GPU the kernels are written for: sm_75 (ten times major plus minor).
inline constexpr int oldest_compute_capability = 75;

/// Never launched: that it may have so many threads, or fewer, tells which code the runtime has
/// loaded for a device.
template <int Threads>
__global__ void __launch_bounds__(compiled_for_warpgroups() ? Threads : Threads / 2)
  tell_warpgroups()
{}

/// Whether the code loaded for device `ordinal` multiplies by warpgroups.
[[nodiscard]] inline bool has_warpgroup_products(int ordinal)
{
  int current = ordinal;
  cudaFuncAttributes attributes{};
  bool const known =
    cudaGetDevice(&current) == cudaSuccess &&
    (current == ordinal || cudaSetDevice(ordinal) == cudaSuccess) &&
    cudaFuncGetAttributes(&attributes, reinterpret_cast<void const*>(
                                         &tell_warpgroups<warpgroup_threads>)) == cudaSuccess;
  if (!known) { static_cast<void>(cudaGetLastError()); }
  if (current != ordinal) { static_cast<void>(cudaSetDevice(current)); }
  return known && attributes.maxThreadsPerBlock == warpgroup_threads;
}

/// Reads the facts of CUDA device `ordinal` into `facts`; reads attributes only, of the device and,
/// on sm_90, of the code loaded for it, so it neither allocates nor synchronises.
///
/// @return `no_device`, `too_small`/`too_large` for an ordinal out of range, `device_too_old`, or
/// `cuda_error`.
[[nodiscard]] inline status query_device(int ordinal, device_facts& facts)
{
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    static_cast<void>(
      cudaGetLastError());  // a missing driver must not fail the caller's next unrelated check
    return {.code = status_code::no_device, .argument = "device", .value = 0, .limit = 1};
  }
  if (ordinal < 0) {
    return {.code = status_code::too_small, .argument = "device", .value = ordinal, .limit = 0};
  }
  if (ordinal >= count) {
    return {
      .code = status_code::too_large, .argument = "device", .value = ordinal, .limit = count - 1};
  }

  int major = 0, minor = 0, l2 = 0;
  device_facts found;
  struct {
    cudaDeviceAttr attribute;
    int* into;
  } const wanted[] = {
    {cudaDevAttrComputeCapabilityMajor, &major},
    {cudaDevAttrComputeCapabilityMinor, &minor},
    {cudaDevAttrMultiProcessorCount, &found.multiprocessors},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, &found.shared_bytes_per_block},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, &found.shared_bytes_per_sm},
    {cudaDevAttrL2CacheSize, &l2},
  };
  for (auto const& fact : wanted) {
    cudaError_t const error = cudaDeviceGetAttribute(fact.into, fact.attribute, ordinal);
    if (error != cudaSuccess) {
      return {.code = status_code::cuda_error, .cuda = error, .argument = "cudaDeviceGetAttribute"};
    }
  }
  found.compute_capability = 10 * major + minor;
  found.l2_bytes           = l2;
  if (found.compute_capability < oldest_compute_capability) {
    return {.code     = status_code::device_too_old,
            .argument = "compute capability",
            .value    = found.compute_capability,
            .limit    = oldest_compute_capability};
  }
  found.warpgroup_products = found.compute_capability == 90 && has_warpgroup_products(ordinal);
  facts                    = found;
  return {};
}

/// Facts of the calling thread's current device.
[[nodiscard]] inline status query_current_device(device_facts& facts)
{
  int ordinal = 0;
  if (cudaGetDevice(&ordinal) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return {.code = status_code::no_device, .argument = "device", .value = 0, .limit = 1};
  }
  return query_device(ordinal, facts);
}

DWCONV_ABI_NAMESPACE_END
