// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <type_traits>

#include <dwconv/core/element.cuh>
#include <dwconv/core/trace.hpp>
#include <dwconv/device/query.cuh>
#include <dwconv/dispatch/backward_data.cuh>
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/plan/backward_data.hpp>
#include <dwconv/plan/describe_backward.hpp>
#include <dwconv/problem/gradient_tensors.hpp>
#include <dwconv/problem/validate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Plans the gradient of x for a device described by `device`; needs no GPU.
///
/// @tparam T         Element type of dy, filter and dx: float, double, __half or __nv_bfloat16.
/// @tparam Instances Forward kernels to choose from; the doors below compile just those they name.
/// @param problem     The forward convolution; need not be valid.
/// @param device      Made up, or read by `query_device`.
/// @param only        Asks for one family instead of the best.
/// @return A plan; if there can be none, its `outcome` says why and `run` returns that.
template <element T, typename Instances = default_instances>
[[nodiscard]] backward_data_plan make_backward_data_plan(conv2d_problem const& problem,
                                                         device_facts const& device,
                                                         std::optional<kernel_family> only = {})
{
  return plan_backward_data(problem, dtype_of<T>, device, Instances::shapes, only);
}

/// Plans for CUDA device number `device`.
template <element T, typename Instances = default_instances>
[[nodiscard]] backward_data_plan make_backward_data_plan(conv2d_problem const& problem, int device,
                                                         std::optional<kernel_family> only = {})
{
  device_facts facts;
  status const problem_status = validate(problem);
  status const device_status  = problem_status.ok() ? query_device(device, facts) : problem_status;
  if (device_status.ok()) { return make_backward_data_plan<T, Instances>(problem, facts, only); }
  return {.outcome = device_status, .problem = problem, .element = dtype_of<T>};
}

/// Enqueues what `plan` says: dx from dy and the filter.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
/// The tensors must live until the stream has passed this work.
///
/// @param plan    Made by `make_backward_data_plan<T, Instances>`.
/// @param tensors Device pointers, dense, aligned to their elements; dx overlaps nothing. Not
/// looked at for batch 0.
/// @param stream  Stream of the device the plan was made for. There is no default.
/// @return The plan's `outcome`, `mismatch`, `null_pointer`, `misaligned_pointer`,
/// `overlapping_tensors`, or
///         `cuda_error` with what the launch said. On failure nothing was written.
template <element T, typename Instances = default_instances>
[[nodiscard]] status run(backward_data_plan const& plan, backward_data_tensors<T> const& tensors,
                         cudaStream_t stream)
{
  [[maybe_unused]] trace_range const trace{"dwconv::run(backward_data)"};
  if (!plan.outcome.ok()) { return plan.outcome; }
  if (status const s = check_dtype(dtype_of<T>, plan.element); !s.ok()) { return s; }
  if (plan.problem.batch == 0) { return {}; }
  if (status const s = validate(plan.problem, tensors); !s.ok()) { return s; }
  return dispatch::launch_planned(Instances{},
                                  dispatch::backward_data_call<T>{plan, tensors, stream});
}

namespace doors {
template <element T, typename Instances>
[[nodiscard]] status backward_data(conv2d_problem const& problem,
                                   backward_data_tensors<T> const& tensors, cudaStream_t stream)
{
  [[maybe_unused]] trace_range const trace{"dwconv::backward_data"};
  if (status const s = validate(problem); !s.ok()) { return s; }
  if (problem.batch == 0) { return {}; }
  device_facts device;
  if (status const s = query_current_device(device); !s.ok()) { return s; }
  return run<T, Instances>(make_backward_data_plan<T, Instances>(problem, device), tensors, stream);
}
}  // namespace doors

/// Enqueues dx, the gradient of x, from dy, the gradient of y: each element of x receives dy times
/// filter from every output that it met.
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
///
/// @tparam T       Element type of dy, filter and dx. Half types are summed in float, float in
/// float, double in double.
/// @param problem  The forward convolution. `output_extent(problem)` gives the size of dy.
/// @param tensors  Device pointers: dy [N,C*M,OH,OW], filter [C*M,KH,KW], dx [N,C,H,W] (or channels
/// last). All of dx is written, with zeros where no output met x.
/// @param stream   Stream of the current device, which owns the pointers. There is no default.
/// @return What `validate` refuses in the problem, `no_device`, `device_too_old`, or what `run`
/// returns. On failure
///         nothing was written.
/// @par Cost Reads dy and filter and writes dx once at best; N*C*M*OH*OW*KH*KW multiply-adds
/// (`backward_data_traffic`).
template <element T>
[[nodiscard]] status backward_data(conv2d_problem const& problem,
                                   std::type_identity_t<backward_data_tensors<T>> const& tensors,
                                   cudaStream_t stream)
{
  return doors::backward_data<T, default_instances>(problem, tensors, stream);
}

/// The same for a filter and stride known at compile time: only their kernels are compiled.
///
/// @tparam Taps   `taps<3, 3>` and the like, height first.
/// @tparam Stride `stride<1, 1>` and the like, of the forward convolution.
/// @return Also `mismatch` where the problem has another filter or stride than the template
/// arguments.
template <element T, static_taps Taps, static_stride Stride>
[[nodiscard]] status backward_data(conv2d_problem const& problem,
                                   std::type_identity_t<backward_data_tensors<T>> const& tensors,
                                   cudaStream_t stream)
{
  return doors::backward_data<T, instances_for<Taps, Stride>>(problem, tensors, stream);
}

DWCONV_ABI_NAMESPACE_END
