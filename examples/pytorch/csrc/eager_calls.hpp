// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <ATen/cuda/EmptyTensor.h>
#include <ATen/record_function.h>
#include <c10/core/DispatchKeySet.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/types.h>

#include <dwconv/problem/output_extent.hpp>
#include <dwconv/problem/validate.hpp>

#include "element_calls.hpp"

/// The calls of element_calls.hpp on PyTorch's own tensors, for those that are as a model's usually
/// are: dense nchw tensors of one type on one CUDA device. Everything else is the operators'
/// business, and so are the words for what is wrong: what is not plain is passed on to them, not
/// judged here.
namespace dwconv_torch {

/// Where the calls of the loaded library are.
inline calls_lookup& lookup()
{
  static calls_lookup calls = nullptr;
  return calls;
}

/// What a call says beside its tensors.
struct geometry {
  dwconv::extent2 stride{1, 1};
  dwconv::padding2 pad{0, 0, 0, 0};
  dwconv::extent2 dilation{1, 1};
};

/// Whether the dispatcher would go straight to a CUDA kernel, with nothing on the way but autograd:
/// no tensor subclass, mode, transform, tracer or lazy conjugate.
inline bool goes_to_cuda(c10::DispatchKeySet keys)
{
  using c10::DispatchKey;
  constexpr c10::DispatchKeySet known{DispatchKey::CUDA, DispatchKey::AutogradCUDA,
                                      DispatchKey::ADInplaceOrView, DispatchKey::AutocastCUDA,
                                      DispatchKey::BackendSelect};
  c10::impl::LocalDispatchKeySet const local = c10::impl::tls_local_dispatch_key_set();
  c10::DispatchKeySet const keys_now         = (keys | local.included_) - local.excluded_;
  return keys_now.has(DispatchKey::CUDA) && (keys_now.raw_repr() & ~known.raw_repr()) == 0;
}

/// Dense, on x's device.
inline bool lies_by(at::Tensor const& tensor, at::Tensor const& x)
{
  return tensor.is_contiguous() && tensor.device() == x.device();
}

/// And of x's type.
inline bool goes_with(at::Tensor const& tensor, at::Tensor const& x)
{
  return tensor.scalar_type() == x.scalar_type() && lies_by(tensor, x);
}

inline std::optional<dwconv::dtype> element_of(at::ScalarType type)
{
  switch (type) {
    case at::ScalarType::Half: return dwconv::dtype::float16;
    case at::ScalarType::BFloat16: return dwconv::dtype::bfloat16;
    case at::ScalarType::Float: return dwconv::dtype::float32;
    case at::ScalarType::Double: return dwconv::dtype::float64;
    default: return {};
  }
}

/// The calls of an element type, or null where there are no kernels for it on this device. What was
/// found is remembered, as it cannot change; where CUDA could not tell, it is asked again.
inline element_calls const* calls_on(at::ScalarType type, int device)
{
  constexpr int devices = 64;
  struct answer {
    bool asked                 = false;
    element_calls const* calls = nullptr;
  };
  thread_local std::array<std::array<answer, devices>, 4> answers{};
  auto const element = element_of(type);
  if (!element || device < 0 || device >= devices) { return nullptr; }
  answer& found = answers[static_cast<std::size_t>(*element)][static_cast<std::size_t>(device)];
  if (!found.asked) {
    element_calls const* const calls = lookup()(calls_layout, static_cast<int>(*element));
    machine_code code                = machine_code::missing;
    if (calls != nullptr) {
      c10::cuda::OptionalCUDAGuard const there{static_cast<c10::DeviceIndex>(device)};
      code = calls->runs_on(device);
    }
    found = {code != machine_code::unknown, code == machine_code::there ? calls : nullptr};
  }
  return found.calls;
}

/// The problem of these tensors, or nothing where a call on them is not one for here, of whatever
/// type they are. `bias` may be undefined.
inline std::optional<dwconv::conv2d_problem> problem_on(at::Tensor const& x,
                                                        at::Tensor const& weight,
                                                        at::Tensor const& bias, geometry const& how)
{
  c10::DispatchKeySet keys = x.key_set() | weight.key_set();
  if (bias.defined()) { keys = keys | bias.key_set(); }
  if (!goes_to_cuda(keys) || x.dim() != 4 || weight.dim() != 4) { return {}; }
  c10::IntArrayRef const input = x.sizes(), filter = weight.sizes();
  if (input[1] < 1 || filter[1] != 1 || filter[0] % input[1] != 0) { return {}; }
  if (!x.is_contiguous() || !lies_by(weight, x)) { return {}; }
  if (bias.defined() && !(lies_by(bias, x) && bias.dim() == 1 && bias.sizes()[0] == filter[0])) {
    return {};
  }
  dwconv::conv2d_problem const problem{.batch      = input[0],
                                       .channels   = input[1],
                                       .multiplier = filter[0] / input[1],
                                       .input      = {input[2], input[3]},
                                       .filter     = {filter[2], filter[3]},
                                       .stride     = how.stride,
                                       .dilation   = how.dilation,
                                       .pad        = how.pad};
  if (!validate(problem).ok()) { return {}; }
  return problem;
}

/// A call that is sure to go to a kernel of dwconv.
struct eager_call {
  dwconv::conv2d_problem problem;
  element_calls const* calls;
};

/// The call of a problem on its tensors, or nothing where their types are not for here.
inline std::optional<eager_call> call_of(dwconv::conv2d_problem const& problem, at::Tensor const& x,
                                         at::Tensor const& weight, at::Tensor const& bias)
{
  at::ScalarType const type = x.scalar_type();
  if (weight.scalar_type() != type || (bias.defined() && bias.scalar_type() != type)) { return {}; }
  element_calls const* const calls = calls_on(type, x.get_device());
  if (calls == nullptr) { return {}; }
  return eager_call{problem, calls};
}

inline at::Tensor empty_like_type(at::Tensor const& x, c10::IntArrayRef sizes, at::ScalarType type)
{
  return at::Tensor(at::detail::empty_cuda(sizes, type, x.device(), std::nullopt));
}

inline place place_of(at::Tensor const& x)
{
  c10::DeviceIndex const device = x.get_device();
  return {device, c10::cuda::getCurrentCUDAStream(device).stream()};
}

inline void must(dwconv::status const& status)
{
  TORCH_CHECK(status.ok(), "dwconv: ", status.message());
}

inline at::Tensor run_forward(eager_call const& call, at::Tensor const& x, at::Tensor const& weight,
                              at::Tensor const& bias, activation kind)
{
  RECORD_FUNCTION("dwconv::forward", c10::ArrayRef<c10::IValue const>{});
  c10::cuda::OptionalCUDAGuard const there{x.device()};
  auto const [height, width] = output_extent(call.problem);
  at::Tensor y               = empty_like_type(
                  x, {call.problem.batch, call.problem.output_channels(), height, width}, x.scalar_type());
  must(call.calls->forward(call.problem, place_of(x), x.const_data_ptr(), weight.const_data_ptr(),
                           bias.defined() ? bias.const_data_ptr() : nullptr, kind,
                           y.mutable_data_ptr()));
  return y;
}

/// Which gradients are asked for.
struct wanted_gradients {
  bool of_x, of_weight, of_bias;
};

struct gradients {
  at::Tensor of_x, of_weight, of_bias;
};

inline gradients run_backward(eager_call const& call, at::Tensor const& dy, at::Tensor const& x,
                              at::Tensor const& weight, wanted_gradients wanted)
{
  RECORD_FUNCTION("dwconv::backward", c10::ArrayRef<c10::IValue const>{});
  c10::cuda::OptionalCUDAGuard const there{x.device()};
  dwconv::conv2d_problem const& problem = call.problem;
  place const at                        = place_of(x);
  gradients found;
  if (wanted.of_x) {
    found.of_x = empty_like_type(x, x.sizes(), x.scalar_type());
    must(call.calls->backward_data(problem, at, dy.const_data_ptr(), weight.const_data_ptr(),
                                   found.of_x.mutable_data_ptr()));
  }
  // Only the shape of y matters to the sums over it: that of a 1x1 filter with its channels has it.
  auto const [height, width] = output_extent(problem);
  dwconv::conv2d_problem const sums{.batch    = problem.batch,
                                    .channels = problem.output_channels(),
                                    .input    = {height, width},
                                    .filter   = {1, 1}};
  // One piece of memory for both: the second begins when the first has ended.
  std::int64_t const filter_bytes =
    wanted.of_weight ? call.calls->filter_scratch(problem, at.device) : 0;
  std::int64_t const bias_bytes = wanted.of_bias ? call.calls->bias_scratch(sums, at.device) : 0;
  at::Tensor scratch;
  if (std::int64_t const bytes = std::max(filter_bytes, bias_bytes); bytes > 0) {
    scratch = empty_like_type(x, {bytes}, at::ScalarType::Byte);
  }
  void* const memory = scratch.defined() ? scratch.mutable_data_ptr() : nullptr;
  if (wanted.of_weight) {
    found.of_weight = empty_like_type(x, weight.sizes(), x.scalar_type());
    must(call.calls->backward_filter(problem, at, x.const_data_ptr(), dy.const_data_ptr(),
                                     found.of_weight.mutable_data_ptr(), memory, filter_bytes));
  }
  if (wanted.of_bias) {
    found.of_bias = empty_like_type(x, {sums.channels}, x.scalar_type());
    must(call.calls->backward_bias(sums, at, dy.const_data_ptr(), found.of_bias.mutable_data_ptr(),
                                   memory, bias_bytes));
  }
  return found;
}

}  // namespace dwconv_torch
