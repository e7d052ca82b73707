// SPDX-License-Identifier: Apache-2.0
// One fault for each tool of compute-sanitizer: a tool that reports nothing on the library must report these.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <cuda_runtime.h>

namespace {

constexpr int threads = 64;

__global__ void writes_past_the_end(int* data) { data[threadIdx.x + 1] = 1; }

__global__ void reads_before_the_barrier(int* data)
{
  __shared__ int shared[threads];
  shared[threadIdx.x] = static_cast<int>(threadIdx.x);
  data[threadIdx.x]   = shared[threads - 1 - threadIdx.x];  // written by another warp, no barrier
}

__global__ void reads_what_nobody_wrote(int const* source, int* data) { data[threadIdx.x] = source[threadIdx.x] + 1; }

__global__ void names_the_other_half_of_its_warp(int* data)
{
  if (threadIdx.x % 32 < 16) { __syncwarp(0xffff0000u); }
  data[threadIdx.x] = 1;
}

void require(cudaError_t error)
{
  if (error != cudaSuccess) {
    std::fprintf(stderr, "%s\n", cudaGetErrorString(error));
    std::exit(1);
  }
}

}  // namespace

int main(int count, char** arguments)
{
  std::string_view const tool = count == 2 ? arguments[1] : "";
  int devices                 = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no CUDA device: skipped");
    return 77;
  }
  int* source = nullptr;
  int* data   = nullptr;
  require(cudaMalloc(&source, threads * sizeof(int)));
  require(cudaMalloc(&data, threads * sizeof(int)));
  if (tool == "memcheck") {
    writes_past_the_end<<<1, threads>>>(data);
  } else if (tool == "racecheck") {
    reads_before_the_barrier<<<1, threads>>>(data);
  } else if (tool == "initcheck") {
    reads_what_nobody_wrote<<<1, threads>>>(source, data);
  } else if (tool == "synccheck") {
    names_the_other_half_of_its_warp<<<1, threads>>>(data);
  } else {
    std::fprintf(stderr, "usage: planted_faults memcheck|racecheck|initcheck|synccheck\n");
    return 1;
  }
  static_cast<void>(cudaDeviceSynchronize());  // memcheck turns the fault into an error here
  static_cast<void>(cudaFree(source));
  static_cast<void>(cudaFree(data));
  return 0;
}
