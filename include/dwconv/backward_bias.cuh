// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include <dwconv/core/element.cuh>
#include <dwconv/core/trace.hpp>
#include <dwconv/device/query.cuh>
#include <dwconv/dispatch/backward_bias.cuh>
#include <dwconv/plan/backward_bias.hpp>
#include <dwconv/plan/describe_backward.hpp>
#include <dwconv/problem/gradient_tensors.hpp>
#include <dwconv/problem/validate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Plans the gradient of a bias for a device described by `device`; needs no GPU.
///
/// @tparam T      Element type of dy: float, double, __half or __nv_bfloat16.
/// @param problem The forward convolution; need not be valid.
/// @param device  Made up, or read by `query_device`.
/// @return A plan; if there can be none, its `outcome` says why and `run` returns that.
template <element T>
[[nodiscard]] backward_bias_plan make_backward_bias_plan(conv2d_problem const& problem,
                                                         device_facts const& device)
{
  return plan_backward_bias(problem, dtype_of<T>, device);
}

/// Plans for CUDA device number `device`.
template <element T>
[[nodiscard]] backward_bias_plan make_backward_bias_plan(conv2d_problem const& problem, int device)
{
  device_facts facts;
  status const problem_status = validate(problem);
  status const device_status  = problem_status.ok() ? query_device(device, facts) : problem_status;
  if (device_status.ok()) { return make_backward_bias_plan<T>(problem, facts); }
  return {.outcome = device_status, .problem = problem, .element = dtype_of<T>};
}

/// Enqueues what `plan` says: dbias from dy.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
/// The tensors and the workspace must live until the stream has passed this work; runs that may be
/// under way at the same time need a workspace each.
///
/// @tparam Gradient Element type of dbias: T or float.
/// @param plan    Made by `make_backward_bias_plan<T>`.
/// @param tensors Device pointers, dense, aligned to their elements; dbias overlaps nothing. For
/// batch 0 only dbias is looked at.
/// @param scratch At least `workspace_bytes(plan)` bytes of device memory.
/// @param stream  Stream of the device the plan was made for. There is no default.
/// @param how     Whether dbias is overwritten or added to.
/// @return The plan's `outcome`, `mismatch`, `null_pointer`, `misaligned_pointer`,
/// `overlapping_tensors`, `too_small` for the workspace, `unknown_value`, or
///         `cuda_error` with what a launch said. On failure dbias was not written.
template <element T, gradient_of<T> Gradient = T>
[[nodiscard]] status run(backward_bias_plan const& plan,
                         backward_bias_tensors<T, Gradient> const& tensors,
                         workspace const& scratch, cudaStream_t stream,
                         update how = update::overwrite)
{
  [[maybe_unused]] trace_range const trace{"dwconv::run(backward_bias)"};
  if (status const s = check_sum(plan, dtype_of<T>, tensors, scratch, how); !s.ok()) { return s; }
  // A sum of nothing is zero.
  if (plan.problem.batch == 0 && how == update::accumulate) { return {}; }
  return dispatch::launch_planned(dispatch::backward_bias_call<T, Gradient>{
    plan, tensors, static_cast<sum_of<T>*>(scratch.data), stream, how});
}

/// Enqueues dbias, the gradient of a bias, from dy: for each output channel the sum of dy over
/// batch, rows and columns.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
/// Deterministic: the sums over the batch are taken in an order that only the plan decides.
///
/// @tparam T        Element type of dy. Half types are summed in float, float in float, double
/// in double.
/// @tparam Gradient Element type of dbias: T or float.
/// @param problem   The forward convolution. `output_extent(problem)` gives the size of dy.
/// @param tensors   Device pointers: dy [N,C*M,OH,OW] (or channels last), dbias [C*M]. For batch 0
/// dbias becomes zero, and nothing else is looked at.
/// @param scratch   At least `workspace_bytes(make_backward_bias_plan<T>(problem, device))` bytes
/// of device memory.
/// @param stream    Stream of the current device, which owns the pointers. There is no default.
/// @param how       Whether dbias is overwritten or added to.
/// @return What `validate` refuses in the problem, `no_device`, `device_too_old`, or what `run`
/// returns. On failure
///         dbias was not written.
/// @par Cost Reads dy once (`backward_bias_traffic`).
template <element T, gradient_of<T> Gradient = T>
[[nodiscard]] status backward_bias(
  conv2d_problem const& problem,
  std::type_identity_t<backward_bias_tensors<T, Gradient>> const& tensors, workspace const& scratch,
  cudaStream_t stream, update how = update::overwrite)
{
  [[maybe_unused]] trace_range const trace{"dwconv::backward_bias"};
  if (status const s = validate(problem); !s.ok()) { return s; }
  device_facts device;
  if (status const s = query_current_device(device); !s.ok()) { return s; }
  return run<T, Gradient>(make_backward_bias_plan<T>(problem, device), tensors, scratch, stream,
                          how);
}

DWCONV_ABI_NAMESPACE_END
