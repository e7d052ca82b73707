// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>

#include "eager_calls.hpp"

namespace dwconv_torch {

using torch::autograd::variable_list;

/// The operator of a name, for calls in which its own gradient may be asked for.
template <typename Signature>
c10::TypedOperatorHandle<Signature> operator_of(char const* name)
{
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

/// The gradients by the operators: they can be derived again, traced and transformed.
inline gradients operator_gradients(at::Tensor const& dy, at::Tensor const& x,
                                    at::Tensor const& weight, geometry const& how,
                                    wanted_gradients wanted)
{
  using numbers = c10::IntArrayRef;
  using of_both =
    at::Tensor(at::Tensor const&, at::Tensor const&, at::Tensor const&, numbers, numbers, numbers);
  static auto const backward_data   = operator_of<of_both>("dwconv::backward_data");
  static auto const backward_filter = operator_of<of_both>("dwconv::backward_filter");
  static auto const backward_bias =
    operator_of<at::Tensor(at::Tensor const&)>("dwconv::backward_bias");
  std::array<std::int64_t, 2> const stride{how.stride.height, how.stride.width};
  std::array<std::int64_t, 4> const padding{how.pad.top, how.pad.bottom, how.pad.left,
                                            how.pad.right};
  std::array<std::int64_t, 2> const dilation{how.dilation.height, how.dilation.width};
  gradients found;
  if (wanted.of_x) { found.of_x = backward_data.call(dy, x, weight, stride, padding, dilation); }
  if (wanted.of_weight) {
    found.of_weight = backward_filter.call(dy, x, weight, stride, padding, dilation);
  }
  if (wanted.of_bias) { found.of_bias = backward_bias.call(dy); }
  return found;
}

inline gradients gradients_of(at::Tensor dy, at::Tensor const& x, at::Tensor const& weight,
                              geometry const& how, wanted_gradients wanted)
{
  if (!at::GradMode::is_enabled() && goes_to_cuda(dy.key_set())) {
    auto const problem = problem_on(x, weight, {}, how);
    if (auto const call = problem ? call_of(*problem, x, weight, {}) : std::nullopt) {
      if (!dy.is_contiguous()) { dy = dy.contiguous(); }
      auto const [height, width] = output_extent(call->problem);
      std::array<std::int64_t, 4> const shape{call->problem.batch, call->problem.output_channels(),
                                              height, width};
      if (goes_with(dy, x) && dy.sizes() == c10::IntArrayRef(shape)) {
        return run_backward(*call, dy, x, weight, wanted);
      }
    }
  }
  return operator_gradients(dy, x, weight, how, wanted);
}

/// What autograd keeps of a convolution. Its inputs are x, the weight, and the bias if there is
/// one.
///
/// A node like those that PyTorch generates for its own functions, rather than a
/// `torch::autograd::Function`: that takes a microsecond longer to record, and one more on the way
/// back.
struct ConvolutionBackward : torch::autograd::Node {
  torch::autograd::SavedVariable x, weight;
  geometry how;

  std::string name() const override { return "DepthwiseConvolutionBackward"; }

  variable_list apply(variable_list&& dy) override
  {
    std::lock_guard<std::mutex> const lock(mutex_);
    if (!dy[0].defined()) { return variable_list(num_outputs()); }
    return listed(gradients_of(dy[0], x.unpack(), weight.unpack(), how, wanted()));
  }

  void release_variables() override
  {
    std::lock_guard<std::mutex> const lock(mutex_);
    x.reset_data();
    weight.reset_data();
  }

  // For compiled autograd, which traces the operators.

  void compiled_args(torch::dynamo::autograd::CompiledNodeArgs& args) const override
  {
    args.collect(x, false);
    args.collect(weight, false);
    for (std::int64_t const number : numbers()) { args.collect(number); }
  }

  variable_list apply_with_saved(variable_list const& inputs,
                                 torch::dynamo::autograd::SwapSavedVariables& saved) override
  {
    using namespace torch::dynamo::autograd;
    saved.before(x);
    saved.before(weight);
    wanted_gradients const want = wanted();
    PackedArgs packed;
    packed.pack(x.unpack());
    packed.pack(weight.unpack());
    for (std::int64_t const number : numbers()) { packed.pack(number); }
    packed.pack(std::vector<bool>{want.of_x, want.of_weight, want.of_bias});
    packed.pack(static_cast<std::int64_t>(num_outputs()));
    auto const arguments = std::move(packed).vec();
    std::vector<at::TypePtr> schema;
    for (auto const& value : arguments) {
      schema.push_back(value.isTensor() ? at::TypePtr{at::TensorType::get()} : value.type());
    }
    auto const& compiler = getPyCompilerInterface();
    auto const function =
      compiler->bind_function(saved.get_py_compiler(), name(), &traced, schema,
                              /*is_custom_function=*/true, /*is_traceable=*/true);
    auto const metadata =
      IValuePacker<std::vector<std::optional<torch::autograd::InputMetadata>>>::pack(
        get_input_metadata(next_edges()));
    auto found = compiler->call_function(saved.get_py_compiler(), "apply_functional", function,
                                         inputs, arguments, metadata);
    saved.after(x);
    saved.after(weight);
    return found;
  }

 private:
  [[nodiscard]] wanted_gradients wanted() const
  {
    return {task_should_compute_output(0), task_should_compute_output(1),
            num_outputs() > 2 && task_should_compute_output(2)};
  }

  [[nodiscard]] std::array<std::int64_t, 8> numbers() const
  {
    return {how.stride.height, how.stride.width, how.pad.top,         how.pad.bottom,
            how.pad.left,      how.pad.right,    how.dilation.height, how.dilation.width};
  }

  [[nodiscard]] variable_list listed(gradients&& found) const
  {
    variable_list list{std::move(found.of_x), std::move(found.of_weight)};
    if (num_outputs() > 2) { list.push_back(std::move(found.of_bias)); }
    return list;
  }

  static variable_list traced(variable_list const& dy, std::vector<c10::IValue> const& arguments)
  {
    torch::dynamo::autograd::PackedArgs packed(arguments);
    auto const x      = packed.unpack<at::Tensor>();
    auto const weight = packed.unpack<at::Tensor>();
    std::array<std::int64_t, 8> n{};
    for (std::int64_t& number : n) { number = packed.unpack<std::int64_t>(); }
    auto const want  = packed.unpack<std::vector<bool>>();
    auto const count = packed.unpack<std::int64_t>();
    if (!dy[0].defined()) { return variable_list(static_cast<std::size_t>(count)); }
    geometry const how{
      .stride = {n[0], n[1]}, .pad = {n[2], n[3], n[4], n[5]}, .dilation = {n[6], n[7]}};
    gradients found = gradients_of(dy[0], x, weight, how, {want[0], want[1], want[2]});
    variable_list list{found.of_x, found.of_weight, found.of_bias};
    list.resize(static_cast<std::size_t>(count));
    return list;
  }
};

inline bool wants_gradient(at::Tensor const& x, at::Tensor const& weight, at::Tensor const& bias)
{
  return at::GradMode::is_enabled() &&
         (x.requires_grad() || weight.requires_grad() || (bias.defined() && bias.requires_grad()));
}

/// Forward, recorded.
inline at::Tensor record_forward(eager_call const& call, at::Tensor const& x,
                                 at::Tensor const& weight, at::Tensor const& bias,
                                 geometry const& how)
{
  using torch::autograd::SavedVariable;
  std::shared_ptr<ConvolutionBackward> node(new ConvolutionBackward, torch::autograd::deleteNode);
  node->set_next_edges(bias.defined() ? torch::autograd::collect_next_edges(x, weight, bias)
                                      : torch::autograd::collect_next_edges(x, weight));
  node->x      = SavedVariable(x, /*is_output=*/false);
  node->weight = SavedVariable(weight, /*is_output=*/false);
  node->how    = how;
  at::Tensor y = run_forward(call, x, weight, bias, activation::none);
  torch::autograd::set_history(y, node);
  return y;
}

}  // namespace dwconv_torch
