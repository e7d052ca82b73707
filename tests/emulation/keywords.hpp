// SPDX-License-Identifier: Apache-2.0
#pragma once

// Force-included (-include) ahead of every file of an emulation build: makes a plain C++ compiler
// accept kernels. Outside nvcc, CUDA's own headers already make __global__, __device__ and __host__
// vanish; this adds the rest.

#define __launch_bounds__(...)
#define __cluster_dims__(...)

// The real one would declare threadIdx and its kin a second time.
#define __DEVICE_LAUNCH_PARAMETERS_H__

#include <cuda_runtime_api.h>
#include <vector_functions.h>
#include <vector_types.h>

// One block runs at a time, so a static object is shared by exactly its threads. It is not filled
// with NaN before each block, and bulk copies refuse it: the library's kernels take
// dynamic_shared_memory(), which has both.
#undef __shared__
#define __shared__ static

#include <algorithm>
#include <cmath>

#include "engine.hpp"

using dwconv_emulation::blockDim;
using dwconv_emulation::blockIdx;
using dwconv_emulation::gridDim;
using dwconv_emulation::threadIdx;
inline constexpr int warpSize = 32;

using std::max;
using std::min;

inline void __syncthreads()
{
  dwconv_emulation::block_barrier();
}
inline void __syncwarp(unsigned = 0xffffffffu)
{
  dwconv_emulation::warp_barrier();
}
[[noreturn]] inline void __trap()
{
  dwconv_emulation::fail("__trap() was reached");
}
