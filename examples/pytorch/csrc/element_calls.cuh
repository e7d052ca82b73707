// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include <dwconv/dwconv.cuh>

#include "element_calls.hpp"
#include "plan_cache.hpp"

// Hidden like the kernels it launches: every .cu file has its own.
namespace dwconv_torch {
namespace {

/// A bias, if there is one, and an activation known at run time: one kernel for all of them, as
/// each more would double what is compiled.
template <dwconv::element T>
struct bias_then_activation {
  T const* bias;  ///< May be read in any case: compilers move loads across the question.
  bool biased;
  activation kind;

  template <typename Sum>
  [[nodiscard]] __device__ Sum operator()(Sum sum, dwconv::output_coordinate const& at) const
  {
    namespace epilogue = dwconv::epilogue;
    if (biased) { sum = epilogue::bias<T>{bias}(sum, at); }
    switch (kind) {
      case activation::none: return sum;
      case activation::relu: return epilogue::relu{}(sum, at);
      case activation::relu6: return epilogue::relu6{}(sum, at);
      case activation::silu: return epilogue::silu{}(sum, at);
      case activation::hardswish: return epilogue::hardswish{}(sum, at);
      case activation::gelu: return epilogue::gelu{}(sum, at);
      case activation::gelu_tanh: return epilogue::gelu_tanh{}(sum, at);
    }
    return sum;
  }
};

template <typename T>
T const* as(void const* pointer)
{
  return static_cast<T const*>(pointer);
}

template <typename T>
dwconv::forward_plan const& forward_plan_of(dwconv::conv2d_problem const& problem, int device)
{
  thread_local plan_cache<dwconv::forward_plan> plans;
  return plans.find(problem, device, [&] { return dwconv::make_forward_plan<T>(problem, device); });
}

template <typename T>
dwconv::backward_filter_plan const& filter_plan_of(dwconv::conv2d_problem const& problem,
                                                   int device)
{
  thread_local plan_cache<dwconv::backward_filter_plan> plans;
  return plans.find(problem, device,
                    [&] { return dwconv::make_backward_filter_plan<T>(problem, device); });
}

template <typename T>
dwconv::backward_bias_plan const& bias_plan_of(dwconv::conv2d_problem const& problem, int device)
{
  thread_local plan_cache<dwconv::backward_bias_plan> plans;
  return plans.find(problem, device,
                    [&] { return dwconv::make_backward_bias_plan<T>(problem, device); });
}

template <typename T>
dwconv::status forward(dwconv::conv2d_problem const& problem, place at, void const* x,
                       void const* filter, void const* bias, activation kind, void* y)
{
  dwconv::forward_plan const& plan = forward_plan_of<T>(problem, at.device);
  dwconv::forward_tensors<T> const tensors{as<T>(x), as<T>(filter), static_cast<T*>(y)};
  if (kind != activation::none) {
    // A filter has at least as many elements as a bias.
    bias_then_activation<T> const epilogue{as<T>(bias != nullptr ? bias : filter), bias != nullptr,
                                           kind};
    return dwconv::run(plan, tensors, at.stream, epilogue);
  }
  if (bias != nullptr) {
    return dwconv::run(plan, tensors, at.stream, dwconv::epilogue::bias<T>{as<T>(bias)});
  }
  return dwconv::run(plan, tensors, at.stream);
}

template <typename T>
dwconv::status backward_data(dwconv::conv2d_problem const& problem, place at, void const* dy,
                             void const* filter, void* dx)
{
  thread_local plan_cache<dwconv::backward_data_plan> plans;
  dwconv::backward_data_plan const& plan = plans.find(
    problem, at.device, [&] { return dwconv::make_backward_data_plan<T>(problem, at.device); });
  dwconv::backward_data_tensors<T> const tensors{as<T>(dy), as<T>(filter), static_cast<T*>(dx)};
  return dwconv::run(plan, tensors, at.stream);
}

template <typename T>
dwconv::status backward_filter(dwconv::conv2d_problem const& problem, place at, void const* x,
                               void const* dy, void* dfilter, void* scratch,
                               std::int64_t scratch_bytes)
{
  dwconv::backward_filter_tensors<T> const tensors{as<T>(x), as<T>(dy), static_cast<T*>(dfilter)};
  return dwconv::run<T>(filter_plan_of<T>(problem, at.device), tensors,
                        dwconv::workspace{scratch, scratch_bytes}, at.stream);
}

template <typename T>
dwconv::status backward_bias(dwconv::conv2d_problem const& problem, place at, void const* dy,
                             void* dbias, void* scratch, std::int64_t scratch_bytes)
{
  dwconv::backward_bias_tensors<T> const tensors{as<T>(dy), static_cast<T*>(dbias)};
  return dwconv::run<T>(bias_plan_of<T>(problem, at.device), tensors,
                        dwconv::workspace{scratch, scratch_bytes}, at.stream);
}

template <typename T>
std::int64_t filter_scratch(dwconv::conv2d_problem const& problem, int device)
{
  return dwconv::workspace_bytes(filter_plan_of<T>(problem, device));
}

template <typename T>
std::int64_t bias_scratch(dwconv::conv2d_problem const& problem, int device)
{
  return dwconv::workspace_bytes(bias_plan_of<T>(problem, device));
}

template <typename T>
std::string describe_forward(dwconv::conv2d_problem const& problem, int device)
{
  return dwconv::describe(forward_plan_of<T>(problem, device));
}

/// Stands for all kernels of its file: they are compiled for the same GPUs.
__global__ void probe() {}

/// Sets another device only where this one is not current: setting it back would give that one a
/// context that it may never have had. Callers hold a guard of PyTorch's, which knows.
inline machine_code runs_on(int device)
{
  dwconv::device_facts facts;
  dwconv::status const status = dwconv::query_device(device, facts);
  if (status.code == dwconv::status_code::device_too_old) { return machine_code::missing; }
  if (!status.ok()) { return machine_code::unknown; }
  int current = device;
  cudaFuncAttributes attributes{};
  cudaError_t error = cudaGetDevice(&current);
  if (error == cudaSuccess && current != device) { error = cudaSetDevice(device); }
  if (error == cudaSuccess) { error = cudaFuncGetAttributes(&attributes, &probe); }
  static_cast<void>(cudaGetLastError());  // missing code must not fail the next unrelated check
  if (current != device) { static_cast<void>(cudaSetDevice(current)); }
  switch (error) {
    case cudaSuccess: return machine_code::there;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction: return machine_code::missing;
    default: return machine_code::unknown;
  }
}

template <typename T>
registered_calls registered()
{
  return {dwconv::dtype_of<T>,
          {.forward         = &forward<T>,
           .backward_data   = &backward_data<T>,
           .backward_filter = &backward_filter<T>,
           .backward_bias   = &backward_bias<T>,
           .filter_scratch  = &filter_scratch<T>,
           .bias_scratch    = &bias_scratch<T>,
           .describe        = &describe_forward<T>,
           .runs_on         = &runs_on}};
}

}  // namespace
}  // namespace dwconv_torch
