// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include <dwconv/backward_bias.cuh>
#include <dwconv/backward_data.cuh>
#include <dwconv/backward_filter.cuh>
#include <dwconv/dispatch/window_joint.cuh>
#include <dwconv/plan/backward.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Plans some gradients for a device described by `device`; needs no GPU.
///
/// @tparam T      Element type of x, dy, filter and dx: float, double, __half or __nv_bfloat16.
/// @param problem The forward convolution; need not be valid.
/// @param wanted  Which gradients; at least one.
/// @param device  Made up, or read by `query_device`.
/// @return A plan; if there can be none, its `outcome` says why and `run` returns that.
template <element T>
[[nodiscard]] backward_plan make_backward_plan(conv2d_problem const& problem,
                                               gradients const& wanted, device_facts const& device)
{
  return plan_backward(problem, wanted, dtype_of<T>, device, default_instances::shapes);
}

/// Plans for CUDA device number `device`.
template <element T>
[[nodiscard]] backward_plan make_backward_plan(conv2d_problem const& problem,
                                               gradients const& wanted, int device)
{
  device_facts facts;
  status const problem_status = validate(problem);
  status const device_status  = problem_status.ok() ? query_device(device, facts) : problem_status;
  if (device_status.ok()) { return make_backward_plan<T>(problem, wanted, facts); }
  return {.outcome = device_status, .problem = problem, .element = dtype_of<T>, .wanted = wanted};
}

/// Enqueues what `plan` says: dx and dfilter, in one pass or one after the other, then dbias, those
/// that were planned.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
/// The tensors and the workspace must live until the stream has passed this work; runs that may be
/// under way at the same time need a workspace each.
///
/// @tparam Gradient Element type of dfilter and dbias: T or float.
/// @param plan    Made by `make_backward_plan<T>`.
/// @param tensors Device pointers, dense, aligned to their elements; no gradient overlaps anything.
/// Those not planned, and what only they read, are not looked at.
/// @param scratch At least `workspace_bytes(plan)` bytes of device memory.
/// @param stream  Stream of the device the plan was made for. There is no default.
/// @param how     Whether dfilter and dbias are overwritten or added to; dx is overwritten.
/// @return The plan's `outcome`, `mismatch`, `null_pointer`, `misaligned_pointer`,
/// `overlapping_tensors`, `too_small` for the workspace, or `unknown_value`: then nothing was
/// written. `cuda_error` with what a launch said: gradients after that one were not written.
template <element T, gradient_of<T> Gradient = T>
[[nodiscard]] status run(backward_plan const& plan, backward_tensors<T, Gradient> const& tensors,
                         workspace const& scratch, cudaStream_t stream,
                         update how = update::overwrite)
{
  [[maybe_unused]] trace_range const trace{"dwconv::run(backward)"};
  if (!plan.outcome.ok()) { return plan.outcome; }
  if (status const s = check_dtype(dtype_of<T>, plan.element); !s.ok()) { return s; }
  if (status const s = tensor_check::check_update(how); !s.ok()) { return s; }
  conv2d_problem const& p          = plan.problem;
  gradients const& wanted          = plan.wanted;
  std::int64_t const bytes         = sum_bytes(plan.element);
  std::int64_t const scratch_bytes = workspace_bytes(plan);
  // Everything, before anything is launched.
  status problems[] = {
    wanted.dx && p.batch > 0 ? validate(p, tensors.of_data()) : status{},
    wanted.dfilter ? validate(p, tensors.of_filter(), scratch, scratch_bytes, bytes) : status{},
    wanted.dbias ? validate(p, tensors.of_bias(), scratch, scratch_bytes, bytes) : status{},
    validate_apart(p, wanted, tensors, scratch, scratch_bytes)};
  for (status const& s : problems) {
    if (!s.ok()) { return s; }
  }
  if (plan.joint.chosen) {
    status const s =
      dispatch::launch_joint(plan, tensors, static_cast<sum_of<T>*>(scratch.data), stream, how);
    if (!s.ok()) { return s; }
  }
  if (wanted.dx && !plan.joint.chosen) {
    if (status const s = run<T>(plan.data, tensors.of_data(), stream); !s.ok()) { return s; }
  }
  if (wanted.dfilter && !plan.joint.chosen) {
    if (status const s = run<T, Gradient>(plan.filter, tensors.of_filter(), scratch, stream, how);
        !s.ok()) {
      return s;
    }
  }
  if (!wanted.dbias) { return {}; }
  return run<T, Gradient>(plan.bias, tensors.of_bias(), scratch, stream, how);
}

/// Enqueues those of the three gradients whose pointers are set: what `backward_data`,
/// `backward_filter` and `backward_bias` compute, with one check and one workspace. Where a kernel
/// computes dx and dfilter in one pass (`describe` of the plan says it), dfilter is summed in
/// another order than `backward_filter` has, and so is dx of half types than `backward_data`; else
/// the bits are theirs.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
///
/// @tparam T        Element type of x, dy, filter and dx. Half types are summed in float, float in
/// float, double in double.
/// @tparam Gradient Element type of dfilter and dbias: T or float.
/// @param problem   The forward convolution. `output_extent(problem)` gives the size of dy.
/// @param tensors   Device pointers: dy [N,C*M,OH,OW] (or channels last); filter and dx, x and
/// dfilter, dbias, as far as they are wanted, as in the calls for one gradient.
/// @param scratch   At least `workspace_bytes` of the plan bytes of device memory.
/// @param stream    Stream of the current device, which owns the pointers. There is no default.
/// @param how       Whether dfilter and dbias are overwritten or added to; dx is overwritten.
/// @return What `validate` refuses in the problem, `null_pointer` if no gradient is asked for,
/// `no_device`, `device_too_old`, or what `run` returns.
/// @par Cost The sum of the calls for one gradient, or, in one pass, x and dy read and dx written
/// once (`backward_traffic`).
template <element T, gradient_of<T> Gradient = T>
[[nodiscard]] status backward(conv2d_problem const& problem,
                              std::type_identity_t<backward_tensors<T, Gradient>> const& tensors,
                              workspace const& scratch, cudaStream_t stream,
                              update how = update::overwrite)
{
  [[maybe_unused]] trace_range const trace{"dwconv::backward"};
  if (status const s = validate(problem); !s.ok()) { return s; }
  device_facts device;
  if (status const s = query_current_device(device); !s.ok()) { return s; }
  return run<T, Gradient>(make_backward_plan<T>(problem, tensors.wanted(), device), tensors,
                          scratch, stream, how);
}

DWCONV_ABI_NAMESPACE_END
