// SPDX-License-Identifier: Apache-2.0
// The operators of namespace dwconv, each in three steps: unpack, check, call. Written against
// LibTorch's stable ABI, so one binary loads into later versions of PyTorch.
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <dwconv/problem/output_extent.hpp>
#include <dwconv/problem/validate.hpp>

#include "element_calls.hpp"

namespace dwconv_torch {

namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
using torch::stable::accelerator::DeviceGuard;

std::array<std::optional<element_calls>, 4>& table()
{
  static std::array<std::optional<element_calls>, 4> calls;
  return calls;
}

std::optional<dwconv::dtype> element_of(ScalarType type)
{
  switch (type) {
    case ScalarType::Half: return dwconv::dtype::float16;
    case ScalarType::BFloat16: return dwconv::dtype::bfloat16;
    case ScalarType::Float: return dwconv::dtype::float32;
    case ScalarType::Double: return dwconv::dtype::float64;
    default: return {};
  }
}

element_calls const& calls_for(Tensor const& tensor)
{
  auto const element               = element_of(tensor.scalar_type());
  element_calls const* const calls = element ? calls_of(*element) : nullptr;
  STD_TORCH_CHECK(calls != nullptr, "dwconv: this library has no kernels for elements of type ",
                  torch::headeronly::toString(tensor.scalar_type()));
  return *calls;
}

void must(dwconv::status const& status)
{
  STD_TORCH_CHECK(status.ok(), "dwconv: ", status.message());
}

place place_of(Tensor const& tensor)
{
  void* stream     = nullptr;
  int const device = tensor.get_device_index();
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(device, &stream));
  return {device, static_cast<cudaStream_t>(stream)};
}

/// Whether a 4-D tensor lies in memory as [N,H,W,C] without gaps. Strides of axes of one element
/// mean nothing, as in PyTorch's own rule.
bool is_channels_last(Tensor const& tensor)
{
  std::int64_t expected = 1;
  for (int const axis : {1, 3, 2, 0}) {
    std::int64_t const size = tensor.size(axis);
    if (size == 1) { continue; }
    if (tensor.stride(axis) != expected) { return false; }
    expected *= size;
  }
  return true;
}

/// The layout in which a tensor is handed on: its own, or nchw for one that is neither.
dwconv::layout layout_of(Tensor const& tensor)
{
  return !tensor.is_contiguous() && is_channels_last(tensor) ? dwconv::layout::nhwc
                                                             : dwconv::layout::nchw;
}

/// The tensor itself, or a copy where it does not lie as asked.
Tensor laid_out(Tensor const& tensor, dwconv::layout layout)
{
  using torch::headeronly::MemoryFormat;
  if (layout == dwconv::layout::nchw) {
    return tensor.is_contiguous() ? tensor : torch::stable::contiguous(tensor);
  }
  return is_channels_last(tensor) ? tensor
                                  : torch::stable::contiguous(tensor, MemoryFormat::ChannelsLast);
}

std::int32_t type_of(Tensor const& tensor)
{
  std::int32_t type = 0;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &type));
  return type;
}

/// An uninitialised tensor of `like`'s type and device.
Tensor empty_tensor(Tensor const& like, std::array<std::int64_t, 4> const& sizes,
                    dwconv::layout layout)
{
  auto const [n, c, h, w] = sizes;
  std::array<std::int64_t, 4> strides{c * h * w, h * w, w, 1};
  if (layout == dwconv::layout::nhwc) { strides = {h * w * c, 1, w * c, c}; }
  // PyTorch's strides of an empty tensor count an axis of none as one.
  if (n * c * h * w == 0) {
    auto const at_least_one = [](std::int64_t size) { return size > 0 ? size : 1; };
    std::array<std::int64_t, 3> const s{at_least_one(c), at_least_one(h), at_least_one(w)};
    strides = layout == dwconv::layout::nhwc
                ? std::array<std::int64_t, 4>{s[1] * s[2] * s[0], 1, s[2] * s[0], s[0]}
                : std::array<std::int64_t, 4>{s[0] * s[1] * s[2], s[1] * s[2], s[2], 1};
  }
  AtenTensorHandle handle = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(4, sizes.data(), strides.data(), type_of(like),
                                                  aoti_torch_device_type_cuda(),
                                                  like.get_device_index(), &handle));
  return Tensor(handle);
}

Tensor empty_vector(Tensor const& like, std::int64_t size, std::int32_t type)
{
  std::int64_t const stride = 1;
  AtenTensorHandle handle   = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
    1, &size, &stride, type, aoti_torch_device_type_cuda(), like.get_device_index(), &handle));
  return Tensor(handle);
}

/// Memory for what a call writes on the way, from PyTorch's allocator.
Tensor scratch_of(Tensor const& like, std::int64_t bytes)
{
  return empty_vector(like, bytes, aoti_torch_dtype_uint8());
}

/// Makes a device the current one, if it is not: asking is quicker than a guard.
class on_device {
 public:
  explicit on_device(std::int32_t device)
  {
    int current = -1;
    static_cast<void>(cudaGetDevice(&current));
    if (current != device) { guard_.emplace(device); }
  }
  explicit on_device(Tensor const& tensor) : on_device(tensor.get_device_index()) {}

 private:
  std::optional<DeviceGuard> guard_;
};

void check_same_kind(char const* name, Tensor const& tensor, Tensor const& x)
{
  STD_TORCH_CHECK(type_of(tensor) == type_of(x), "dwconv: ", name,
                  " has another dtype than the input");
  STD_TORCH_CHECK(tensor.is_cuda() && tensor.get_device_index() == x.get_device_index(),
                  "dwconv: ", name, " is on another device than the input");
}

using numbers = std::vector<std::int64_t>;

/// What a call says beside its tensors.
struct geometry {
  dwconv::extent2 stride;
  dwconv::padding2 pad;
  dwconv::extent2 dilation;
  std::int64_t activation;
};

geometry geometry_of(numbers const& stride, numbers const& padding, numbers const& dilation,
                     std::int64_t activation = 0)
{
  STD_TORCH_CHECK(stride.size() == 2 && padding.size() == 4 && dilation.size() == 2,
                  "dwconv: there must be 2 strides, 4 paddings and 2 dilations");
  return {.stride     = {stride[0], stride[1]},
          .pad        = {padding[0], padding[1], padding[2], padding[3]},
          .dilation   = {dilation[0], dilation[1]},
          .activation = activation};
}

/// Seven bits each, from the lowest: stride, padding, dilation, activation. `pack` in
/// dwconv_torch/ops.py is the other way.
geometry unpacked(std::int64_t packed)
{
  auto const next = [&packed] {
    std::int64_t const number = packed & 127;
    packed >>= 7;
    return number;
  };
  std::array<std::int64_t, 9> n{};
  for (std::int64_t& number : n) { number = next(); }
  return {.stride     = {n[0], n[1]},
          .pad        = {n[2], n[3], n[4], n[5]},
          .dilation   = {n[6], n[7]},
          .activation = n[8]};
}

dwconv::conv2d_problem problem_of(Tensor const& x, Tensor const& weight, geometry const& how)
{
  STD_TORCH_CHECK(x.dim() == 4, "dwconv: the input has ", x.dim(), " dimensions, must have 4");
  STD_TORCH_CHECK(weight.dim() == 4 && weight.size(1) == 1,
                  "dwconv: the weight must be [channels * multiplier, 1, height, width]");
  std::int64_t const channels = x.size(1);
  STD_TORCH_CHECK(channels > 0 && weight.size(0) % channels == 0, "dwconv: the weight has ",
                  weight.size(0), " filters, must be a multiple of the input's ", channels,
                  " channels");
  check_same_kind("the weight", weight, x);
  return {.batch       = x.size(0),
          .channels    = channels,
          .multiplier  = weight.size(0) / channels,
          .input       = {x.size(2), x.size(3)},
          .filter      = {weight.size(2), weight.size(3)},
          .stride      = how.stride,
          .dilation    = how.dilation,
          .pad         = how.pad,
          .data_layout = layout_of(x)};
}

std::array<std::int64_t, 4> output_sizes(dwconv::conv2d_problem const& problem)
{
  must(validate(problem));
  auto const [height, width] = output_extent(problem);
  return {problem.batch, problem.output_channels(), height, width};
}

/// The gradient of y, with its sizes checked, laid out as x is.
Tensor gradient_for(Tensor const& dy, Tensor const& x, dwconv::conv2d_problem const& problem)
{
  std::array<std::int64_t, 4> const expected = output_sizes(problem);
  STD_TORCH_CHECK(dy.dim() == 4, "dwconv: the gradient has ", dy.dim(), " dimensions, must have 4");
  for (int axis = 0; axis < 4; ++axis) {
    STD_TORCH_CHECK(dy.size(axis) == expected[static_cast<std::size_t>(axis)], "dwconv: axis ",
                    axis, " of the gradient is ", dy.size(axis), ", must be ",
                    expected[static_cast<std::size_t>(axis)]);
  }
  check_same_kind("the gradient", dy, x);
  return laid_out(dy, problem.data_layout);
}

Tensor run_forward(Tensor const& x, Tensor const& weight, std::optional<Tensor> const& bias,
                   geometry const& how)
{
  on_device const guard{x};
  dwconv::conv2d_problem const problem    = problem_of(x, weight, how);
  std::array<std::int64_t, 4> const sizes = output_sizes(problem);
  STD_TORCH_CHECK(
    how.activation >= 0 && how.activation <= static_cast<std::int64_t>(activation::gelu_tanh),
    "dwconv: there is no activation ", how.activation);
  if (bias) {
    check_same_kind("the bias", *bias, x);
    STD_TORCH_CHECK(bias->dim() == 1 && bias->size(0) == sizes[1], "dwconv: the bias must be [",
                    sizes[1], "]");
  }
  Tensor const dense_x = laid_out(x, problem.data_layout);
  Tensor const filter  = laid_out(weight, dwconv::layout::nchw);
  Tensor const dense_bias =
    bias && !bias->is_contiguous() ? torch::stable::contiguous(*bias) : bias.value_or(filter);
  Tensor const y = empty_tensor(x, sizes, problem.data_layout);

  must(calls_for(x).forward(problem, place_of(x), dense_x.data_ptr(), filter.data_ptr(),
                            bias ? dense_bias.data_ptr() : nullptr,
                            static_cast<activation>(how.activation), y.data_ptr()));
  return y;
}

Tensor run_backward_data(Tensor const& dy, Tensor const& x, Tensor const& weight,
                         geometry const& how)
{
  on_device const guard{x};
  dwconv::conv2d_problem const problem = problem_of(x, weight, how);
  Tensor const dense_dy                = gradient_for(dy, x, problem);
  Tensor const filter                  = laid_out(weight, dwconv::layout::nchw);
  Tensor const dx =
    empty_tensor(x, {problem.batch, problem.channels, problem.input.height, problem.input.width},
                 problem.data_layout);

  must(calls_for(x).backward_data(problem, place_of(x), dense_dy.data_ptr(), filter.data_ptr(),
                                  dx.data_ptr()));
  return dx;
}

Tensor run_backward_filter(Tensor const& dy, Tensor const& x, Tensor const& weight,
                           geometry const& how)
{
  on_device const guard{x};
  dwconv::conv2d_problem const problem = problem_of(x, weight, how);
  Tensor const dense_dy                = gradient_for(dy, x, problem);
  Tensor const dense_x                 = laid_out(x, problem.data_layout);
  Tensor const dfilter =
    empty_tensor(x, {problem.output_channels(), 1, problem.filter.height, problem.filter.width},
                 dwconv::layout::nchw);
  place const at             = place_of(x);
  element_calls const& calls = calls_for(x);
  std::int64_t const bytes   = calls.filter_scratch(problem, at.device);
  Tensor const scratch       = scratch_of(x, bytes);

  must(calls.backward_filter(problem, at, dense_x.data_ptr(), dense_dy.data_ptr(),
                             dfilter.data_ptr(), scratch.data_ptr(), bytes));
  return dfilter;
}

Tensor backward_bias(Tensor const& dy)
{
  STD_TORCH_CHECK(dy.dim() == 4, "dwconv: the gradient has ", dy.dim(), " dimensions, must have 4");
  on_device const guard{dy};
  // Only the shape of y matters: that of a 1x1 filter with the output's channels has it.
  dwconv::conv2d_problem const problem{.batch       = dy.size(0),
                                       .channels    = dy.size(1),
                                       .input       = {dy.size(2), dy.size(3)},
                                       .filter      = {1, 1},
                                       .data_layout = layout_of(dy)};
  must(validate(problem));
  Tensor const dense_dy      = laid_out(dy, problem.data_layout);
  Tensor const dbias         = empty_vector(dy, problem.channels, type_of(dy));
  place const at             = place_of(dy);
  element_calls const& calls = calls_for(dy);
  std::int64_t const bytes   = calls.bias_scratch(problem, at.device);
  Tensor const scratch       = scratch_of(dy, bytes);

  must(calls.backward_bias(problem, at, dense_dy.data_ptr(), dbias.data_ptr(), scratch.data_ptr(),
                           bytes));
  return dbias;
}

// As PyTorch calls them: with lists, and packed.

Tensor forward(Tensor const& x, Tensor const& weight, std::optional<Tensor> const& bias,
               numbers const& stride, numbers const& padding, numbers const& dilation,
               std::int64_t activation)
{
  return run_forward(x, weight, bias, geometry_of(stride, padding, dilation, activation));
}

Tensor backward_data(Tensor const& dy, Tensor const& x, Tensor const& weight, numbers const& stride,
                     numbers const& padding, numbers const& dilation)
{
  return run_backward_data(dy, x, weight, geometry_of(stride, padding, dilation));
}

Tensor backward_filter(Tensor const& dy, Tensor const& x, Tensor const& weight,
                       numbers const& stride, numbers const& padding, numbers const& dilation)
{
  return run_backward_filter(dy, x, weight, geometry_of(stride, padding, dilation));
}

Tensor packed_forward(Tensor const& x, Tensor const& weight, std::optional<Tensor> const& bias,
                      std::int64_t packed)
{
  return run_forward(x, weight, bias, unpacked(packed));
}

Tensor packed_backward_data(Tensor const& dy, Tensor const& x, Tensor const& weight,
                            std::int64_t packed)
{
  return run_backward_data(dy, x, weight, unpacked(packed));
}

Tensor packed_backward_filter(Tensor const& dy, Tensor const& x, Tensor const& weight,
                              std::int64_t packed)
{
  return run_backward_filter(dy, x, weight, unpacked(packed));
}

std::string describe(Tensor const& x, Tensor const& weight, numbers const& stride,
                     numbers const& padding, numbers const& dilation)
{
  on_device const guard{x};
  return calls_for(x).describe(problem_of(x, weight, geometry_of(stride, padding, dilation)),
                               x.get_device_index());
}

bool has_kernels(ScalarType type, std::int64_t device)
{
  auto const element               = element_of(type);
  element_calls const* const calls = element ? calls_of(*element) : nullptr;
  if (calls == nullptr) { return false; }
  on_device const guard{static_cast<std::int32_t>(device)};
  return calls->runs_on(static_cast<int>(device)) == machine_code::there;
}

}  // namespace

element_calls const* calls_of(dwconv::dtype element)
{
  auto const& calls = table()[static_cast<std::size_t>(element)];
  return calls ? &*calls : nullptr;
}

registered_calls::registered_calls(dwconv::dtype element, element_calls const& calls)
{
  table()[static_cast<std::size_t>(element)] = calls;
}

}  // namespace dwconv_torch

/// The only thing that another binary finds by name: csrc/eager.cpp calls the kernels through it.
extern "C" __attribute__((visibility("default"))) dwconv_torch::element_calls const*
dwconv_torch_calls(std::uint64_t layout, int element)
{
  return layout == dwconv_torch::calls_layout
           ? dwconv_torch::calls_of(static_cast<dwconv::dtype>(element))
           : nullptr;
}

// Those with an underscore have no gradient and take their numbers packed: PyTorch spends longer on
// three lists, and on asking for a gradient, than a small kernel takes.
STABLE_TORCH_LIBRARY(dwconv, library)
{
  library.def(
    "forward(Tensor x, Tensor weight, Tensor? bias, int[2] stride, int[4] padding, int[2] "
    "dilation, int activation=0) -> Tensor");
  library.def(
    "backward_data(Tensor dy, Tensor x, Tensor weight, int[2] stride, int[4] padding, int[2] "
    "dilation) -> Tensor");
  library.def(
    "backward_filter(Tensor dy, Tensor x, Tensor weight, int[2] stride, int[4] padding, int[2] "
    "dilation) -> Tensor");
  library.def("backward_bias(Tensor dy) -> Tensor");
  library.def("_forward(Tensor x, Tensor weight, Tensor? bias, int packed) -> Tensor");
  library.def("_backward_data(Tensor dy, Tensor x, Tensor weight, int packed) -> Tensor");
  library.def("_backward_filter(Tensor dy, Tensor x, Tensor weight, int packed) -> Tensor");
  library.def("_backward_bias(Tensor dy) -> Tensor");
  library.def(
    "describe(Tensor x, Tensor weight, int[2] stride, int[4] padding, int[2] dilation) -> str");
  library.def("has_kernels(ScalarType dtype, int device) -> bool");
}

STABLE_TORCH_LIBRARY_IMPL(dwconv, CUDA, library)
{
  library.impl("forward", TORCH_BOX(&dwconv_torch::forward));
  library.impl("backward_data", TORCH_BOX(&dwconv_torch::backward_data));
  library.impl("backward_filter", TORCH_BOX(&dwconv_torch::backward_filter));
  library.impl("backward_bias", TORCH_BOX(&dwconv_torch::backward_bias));
  library.impl("_forward", TORCH_BOX(&dwconv_torch::packed_forward));
  library.impl("_backward_data", TORCH_BOX(&dwconv_torch::packed_backward_data));
  library.impl("_backward_filter", TORCH_BOX(&dwconv_torch::packed_backward_filter));
  library.impl("_backward_bias", TORCH_BOX(&dwconv_torch::backward_bias));
  library.impl("describe", TORCH_BOX(&dwconv_torch::describe));
}

STABLE_TORCH_LIBRARY_IMPL(dwconv, CompositeImplicitAutograd, library)
{
  library.impl("has_kernels", TORCH_BOX(&dwconv_torch::has_kernels));
}
