// SPDX-License-Identifier: Apache-2.0
#include "fake_cudart.hpp"

#include <climits>
#include <map>

namespace fake_cudart {

machine& pretended()
{
  static machine the_machine;
  return the_machine;
}

std::vector<call>& calls()
{
  static std::vector<call> the_calls;
  return the_calls;
}

void reset()
{
  pretended() = {};
  calls().clear();
}

namespace {

// Filled before main() by the registration code nvcc generates.
std::map<void const*, std::string>& kernels()
{
  static std::map<void const*, std::string> the_kernels;
  return the_kernels;
}

cudaError_t record(char const* name, cudaStream_t stream = nullptr)
{
  calls().push_back({.name = name, .stream = stream, .kernel = {}});
  return cudaSuccess;
}

bool within_limits(dim3 grid, dim3 block, std::size_t shared_bytes)
{
  auto const threads = std::size_t{block.x} * block.y * block.z;
  return grid.x >= 1 && grid.x <= INT_MAX && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 &&
         grid.z <= 65535 && threads >= 1 && threads <= 1024 && block.z <= 64 &&
         shared_bytes <= static_cast<std::size_t>(pretended().facts.shared_bytes_per_block);
}

cudaError_t launch(char const* name, void const* function, dim3 grid, dim3 block,
                   std::size_t shared_bytes, cudaStream_t stream)
{
  auto const kernel = kernels().find(function);
  calls().push_back(
    {name, stream, grid, block, shared_bytes, kernel == kernels().end() ? "" : kernel->second});
  if (kernel == kernels().end()) { return cudaErrorInvalidDeviceFunction; }
  if (!within_limits(grid, block, shared_bytes)) { return cudaErrorInvalidConfiguration; }
  return pretended().launch_result;
}

}  // namespace
}  // namespace fake_cudart

using fake_cudart::pretended;
using fake_cudart::record;

extern "C" {

// What nvcc's generated code calls.
void** __cudaRegisterFatBinary(void*)
{
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**)
{
  return 1;
}
void __cudaRegisterFunction(void**, char const* host, char*, char const* device_name, int, uint3*,
                            uint3*, dim3*, dim3*, int*)
{
  fake_cudart::kernels()[host] = device_name;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, void const* host)
{
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(host));
  return cudaSuccess;
}
unsigned __cudaPushCallConfiguration(dim3, dim3, std::size_t, void*)
{
  record("__cudaPushCallConfiguration");
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3*, dim3*, std::size_t*, void*)
{
  return record("__cudaPopCallConfiguration");
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void**,
                               std::size_t shared_bytes, cudaStream_t stream)
{
  return fake_cudart::launch("__cudaLaunchKernel", kernel, grid, block, shared_bytes, stream);
}

// Questions about the machine.
cudaError_t cudaGetDeviceCount(int* count)
{
  record("cudaGetDeviceCount");
  *count = pretended().devices;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaGetDevice(int* device)
{
  record("cudaGetDevice");
  if (pretended().devices == 0) { return cudaErrorNoDevice; }
  *device = pretended().current;
  return cudaSuccess;
}
cudaError_t cudaGetLastError()
{
  return record("cudaGetLastError");
}
cudaError_t cudaPeekAtLastError()
{
  return record("cudaPeekAtLastError");
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int)
{
  record("cudaDeviceGetAttribute");
  dwconv::device_facts const& facts = pretended().facts;
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = facts.compute_capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = facts.compute_capability % 10; break;
    case cudaDevAttrMultiProcessorCount: *value = facts.multiprocessors; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = facts.shared_bytes_per_block; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = facts.shared_bytes_per_sm; break;
    case cudaDevAttrL2CacheSize: *value = static_cast<int>(facts.l2_bytes); break;
    default: return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

// Launches.
cudaError_t cudaLaunchKernelExC(cudaLaunchConfig_t const* config, void const* function, void**)
{
  return fake_cudart::launch("cudaLaunchKernelExC", function, config->gridDim, config->blockDim,
                             config->dynamicSmemBytes, config->stream);
}
cudaError_t cudaLaunchKernel(void const* function, dim3 grid, dim3 block, void**,
                             std::size_t shared_bytes, cudaStream_t stream)
{
  return fake_cudart::launch("cudaLaunchKernel", function, grid, block, shared_bytes, stream);
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void const*)
{
  record("cudaFuncGetAttributes");
  *attributes                    = {};
  attributes->maxThreadsPerBlock = pretended().facts.warpgroup_products ? 128 : 64;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(void const*, cudaFuncAttribute, int)
{
  return record("cudaFuncSetAttribute");
}

// What no door may do; here so that a test names it where the linker would only stop.
cudaError_t cudaMalloc(void**, std::size_t)
{
  return record("cudaMalloc");
}
cudaError_t cudaMallocAsync(void**, std::size_t, cudaStream_t stream)
{
  return record("cudaMallocAsync", stream);
}
cudaError_t cudaMallocHost(void**, std::size_t)
{
  return record("cudaMallocHost");
}
cudaError_t cudaMallocManaged(void**, std::size_t, unsigned)
{
  return record("cudaMallocManaged");
}
cudaError_t cudaFree(void*)
{
  return record("cudaFree");
}
cudaError_t cudaFreeAsync(void*, cudaStream_t stream)
{
  return record("cudaFreeAsync", stream);
}
cudaError_t cudaFreeHost(void*)
{
  return record("cudaFreeHost");
}
cudaError_t cudaMemcpy(void*, void const*, std::size_t, cudaMemcpyKind)
{
  return record("cudaMemcpy");
}
cudaError_t cudaMemcpyAsync(void*, void const*, std::size_t, cudaMemcpyKind, cudaStream_t stream)
{
  return record("cudaMemcpyAsync", stream);
}
cudaError_t cudaMemset(void*, int, std::size_t)
{
  return record("cudaMemset");
}
cudaError_t cudaMemsetAsync(void*, int, std::size_t, cudaStream_t stream)
{
  return record("cudaMemsetAsync", stream);
}
cudaError_t cudaDeviceSynchronize()
{
  return record("cudaDeviceSynchronize");
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
  return record("cudaStreamSynchronize", stream);
}
cudaError_t cudaStreamCreate(cudaStream_t*)
{
  return record("cudaStreamCreate");
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t*, unsigned)
{
  return record("cudaStreamCreateWithFlags");
}
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
  return record("cudaStreamDestroy", stream);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t, unsigned)
{
  return record("cudaStreamWaitEvent", stream);
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t stream)
{
  return record("cudaEventRecord", stream);
}
cudaError_t cudaEventSynchronize(cudaEvent_t)
{
  return record("cudaEventSynchronize");
}
cudaError_t cudaSetDevice(int)
{
  return record("cudaSetDevice");
}

}  // extern "C"
