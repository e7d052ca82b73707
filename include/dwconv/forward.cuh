// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <type_traits>

#include <dwconv/core/element.cuh>
#include <dwconv/core/trace.hpp>
#include <dwconv/device/query.cuh>
#include <dwconv/dispatch/forward.cuh>
#include <dwconv/dispatch/instances.hpp>
#include <dwconv/epilogue/stage.cuh>
#include <dwconv/plan/describe.hpp>
#include <dwconv/plan/planner.hpp>
#include <dwconv/problem/tensors.hpp>
#include <dwconv/problem/validate.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// Plans a forward convolution for a device described by `device`; needs no GPU.
///
/// @tparam T         Element type of x, filter and y: float, double, __half or __nv_bfloat16.
/// @tparam Instances Kernels to choose from; the doors below compile just those they name.
/// @param problem     What is asked; need not be valid.
/// @param device      Made up, or read by `query_device`.
/// @param only        Asks for one family instead of the best.
/// @return A plan; if there can be none, its `outcome` says why and `run` returns that.
template <element T, typename Instances = default_instances>
[[nodiscard]] forward_plan make_forward_plan(conv2d_problem const& problem,
                                             device_facts const& device,
                                             std::optional<kernel_family> only = {})
{
  return plan_forward(problem, dtype_of<T>, device, Instances::shapes, only);
}

/// Plans for CUDA device number `device`.
template <element T, typename Instances = default_instances>
[[nodiscard]] forward_plan make_forward_plan(conv2d_problem const& problem, int device,
                                             std::optional<kernel_family> only = {})
{
  device_facts facts;
  status const problem_status = validate(problem);
  status const device_status  = problem_status.ok() ? query_device(device, facts) : problem_status;
  if (device_status.ok()) { return make_forward_plan<T, Instances>(problem, facts, only); }
  return {.outcome = device_status, .problem = problem, .element = dtype_of<T>};
}

/// Enqueues what `plan` says: y = epilogue(x * filter).
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
/// The tensors and whatever the epilogue points to must live until the stream has passed this work.
///
/// @param plan     Made by `make_forward_plan<T, Instances>`.
/// @param tensors  Device pointers, dense, aligned to their elements; y overlaps nothing. Not
/// looked at for batch 0.
/// @param stream   Stream of the device the plan was made for. There is no default.
/// @param epilogue Called once per output as `epilogue(sum, coordinate)` before the store.
/// @return The plan's `outcome`, `mismatch`, `null_pointer`, `misaligned_pointer`,
/// `overlapping_tensors`, or
///         `cuda_error` with what the launch said. On failure nothing was written.
template <element T, typename Instances = default_instances,
          epilogue::stage Epilogue = epilogue::identity>
[[nodiscard]] status run(forward_plan const& plan, forward_tensors<T> const& tensors,
                         cudaStream_t stream, Epilogue const& epilogue = {})
{
  static_assert(
    epilogue::keeps_type<Epilogue, sum_of<T>>,
    "an epilogue must return the type of the sum it is given: float, or double for double tensors");
  [[maybe_unused]] trace_range const trace{"dwconv::run(forward)"};
  if (!plan.outcome.ok()) { return plan.outcome; }
  if (status const s = check_dtype(dtype_of<T>, plan.element); !s.ok()) { return s; }
  if (plan.problem.batch == 0) { return {}; }
  if (status const s = validate(plan.problem, tensors); !s.ok()) { return s; }
  if (status const s = epilogue::check(epilogue, plan.problem, output_bytes(plan.problem, tensors));
      !s.ok()) {
    return s;
  }
  return dispatch::launch_planned(
    Instances{}, dispatch::forward_call<T, Epilogue>{plan, tensors, stream, epilogue});
}

namespace doors {
template <element T, typename Instances, typename Epilogue>
[[nodiscard]] status forward(conv2d_problem const& problem, forward_tensors<T> const& tensors,
                             cudaStream_t stream, Epilogue const& epilogue)
{
  [[maybe_unused]] trace_range const trace{"dwconv::forward"};
  if (status const s = validate(problem); !s.ok()) { return s; }
  if (problem.batch == 0) { return {}; }
  device_facts device;
  if (status const s = query_current_device(device); !s.ok()) { return s; }
  return run<T, Instances>(make_forward_plan<T, Instances>(problem, device), tensors, stream,
                           epilogue);
}
}  // namespace doors

/// Enqueues y = epilogue(x * filter), one filter per output channel (cross-correlation: the filter
/// is not flipped).
///
/// Asynchronous: nothing is synchronised or allocated, so the call may be captured in a CUDA graph.
///
/// @tparam T       Element type of x, filter and y. Half types are summed in float, float in float,
/// double in double.
/// @param problem  Shape, stride, dilation, padding, layout. `output_extent(problem)` gives the
/// size of y.
/// @param tensors  Device pointers: x [N,C,H,W], filter [C*M,KH,KW], y [N,C*M,OH,OW] (or channels
/// last).
/// @param stream   Stream of the current device, which owns the pointers. There is no default.
/// @param epilogue Called once per output as `epilogue(sum, coordinate)` before the store.
/// @return What `validate` refuses in the problem, `no_device`, `device_too_old`, or what `run`
/// returns. On failure
///         nothing was written.
/// @par Cost Reads x and filter and writes y once at best; N*C*M*OH*OW*KH*KW multiply-adds
/// (`forward_traffic`).
template <element T, epilogue::stage Epilogue = epilogue::identity>
[[nodiscard]] status forward(conv2d_problem const& problem,
                             std::type_identity_t<forward_tensors<T>> const& tensors,
                             cudaStream_t stream, Epilogue const& epilogue = {})
{
  return doors::forward<T, default_instances>(problem, tensors, stream, epilogue);
}

/// The same for a filter and stride known at compile time: only this kernel is compiled.
///
/// @tparam Taps   `taps<3, 3>` and the like, height first.
/// @tparam Stride `stride<1, 1>` and the like.
/// @return Also `mismatch` where the problem has another filter or stride than the template
/// arguments.
template <element T, static_taps Taps, static_stride Stride,
          epilogue::stage Epilogue = epilogue::identity>
[[nodiscard]] status forward(conv2d_problem const& problem,
                             std::type_identity_t<forward_tensors<T>> const& tensors,
                             cudaStream_t stream, Epilogue const& epilogue = {})
{
  return doors::forward<T, instances_for<Taps, Stride>>(problem, tensors, stream, epilogue);
}

DWCONV_ABI_NAMESPACE_END
