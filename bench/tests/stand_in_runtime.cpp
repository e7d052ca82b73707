// SPDX-License-Identifier: Apache-2.0
// The CUDA runtime calls that the benchmark makes, on the CPU and synchronous: with the emulated
// kernels, the whole program runs where there is no GPU. Device memory is the host's, an H200's L2
// is flushed in earnest, and events read the clock, so only the numbers are meaningless.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include <cuda_runtime_api.h>

namespace {

constexpr std::size_t device_bytes = std::size_t{1} << 30;

using clock_type = std::chrono::steady_clock;

clock_type::time_point* time_of(cudaEvent_t event)
{
  return reinterpret_cast<clock_type::time_point*>(event);
}

}  // namespace

extern "C" {

cudaError_t cudaGetDevice(int* device)
{
  *device = 0;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int)
{
  *properties = {};
  std::strcpy(properties->name, "none (emulated)");
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int)
{
  *value = 0;
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version)
{
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version)
{
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
  return cudaSuccess;
}
char const* cudaGetErrorString(cudaError_t)
{
  return "an error of the stand-in";
}

cudaError_t cudaMalloc(void** data, std::size_t bytes)
{
  *data = bytes <= device_bytes ? std::malloc(bytes) : nullptr;
  return *data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFree(void* data)
{
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total)
{
  *free  = device_bytes;
  *total = device_bytes;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* data, int value, std::size_t bytes, cudaStream_t)
{
  std::memset(data, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* target, void const* source, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t)
{
  std::memcpy(target, source, bytes);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned)
{
  *stream = nullptr;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t)
{
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t)
{
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event)
{
  *event = reinterpret_cast<cudaEvent_t>(new clock_type::time_point{});
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
  delete time_of(event);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t)
{
  *time_of(event) = clock_type::now();
  return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop)
{
  std::chrono::duration<float, std::milli> const elapsed = *time_of(stop) - *time_of(start);
  *milliseconds                                          = elapsed.count();
  return cudaSuccess;
}

}  // extern "C"
