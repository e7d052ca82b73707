// SPDX-License-Identifier: Apache-2.0
// Steps of training: two depthwise layers and a bias learn what a blur and a sharpening filter do.
// The loss is half the mean square of the difference, so the difference is the gradient dy; it
// needs no kernel of its own, since an epilogue subtracts the target from the second layer's sums.
#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "cuda_handles.cuh"
#include "example_main.hpp"
#include "hashed_values.hpp"

namespace {

using namespace examples;

constexpr dwconv::conv2d_problem layer{.batch    = 8,
                                       .channels = 8,
                                       .input    = {32, 32},
                                       .filter   = {3, 3},
                                       .pad      = {.top = 1, .bottom = 1, .left = 1, .right = 1}};

// The filter as a type, so that no kernel for another is compiled.
using three_by_three = dwconv::taps<3, 3>;
using every_output   = dwconv::stride<1, 1>;

/// A tensor of parameters, its gradient, and gradient descent with momentum on the host: there are
/// few of them.
class parameters {
 public:
  parameters(std::vector<float> start, cudaStream_t stream)
    : values_(std::move(start)),
      velocity_(values_.size()),
      device_{values_, stream},
      gradient_{device_.size()}
  {}

  [[nodiscard]] float const* data() const { return device_.data(); }
  [[nodiscard]] float* gradient() const { return gradient_.data(); }

  void step(float rate, cudaStream_t stream)
  {
    constexpr float momentum        = 0.8f;
    std::vector<float> const change = gradient_.download(stream);
    for (std::size_t i = 0; i < values_.size(); ++i) {
      velocity_[i] = momentum * velocity_[i] - rate * change[i];
      values_[i] += velocity_[i];
    }
    device_.upload(values_, stream);
  }

 private:
  std::vector<float> values_;
  std::vector<float> velocity_;
  device_buffer<float> device_;
  device_buffer<float> gradient_;
};

/// The same nine taps for every channel.
std::vector<float> known_filter(float corner, float edge, float middle)
{
  std::vector<float> taps(static_cast<std::size_t>(filter_elements(layer)));
  for (std::size_t i = 0; i < taps.size(); ++i) {
    std::size_t const tap = i % 9;
    taps[i]               = tap == 4 ? middle : tap % 2 == 1 ? edge : corner;
  }
  return taps;
}

/// Near a filter that leaves x half as it is.
std::vector<float> first_guess(std::uint64_t seed)
{
  std::vector<float> taps = hashed_values(filter_elements(layer), seed);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    taps[i] = 0.2f * taps[i] + (i % 9 == 4 ? 0.5f : 0.0f);
  }
  return taps;
}

double half_mean_square(std::vector<float> const& values)
{
  double sum = 0;
  for (float const value : values) { sum += 0.5 * static_cast<double>(value) * value; }
  return sum / static_cast<double>(values.size());
}

/// Two layers, and what a step of training needs beside them.
class student {
 public:
  student(std::vector<float> const& x, std::vector<float> const& minus_target, cudaStream_t stream)
    : stream_{stream},
      x_{x, stream},
      minus_target_{minus_target, stream},
      first_{first_guess(2), stream},
      second_{first_guess(3), stream},
      bias_{std::vector<float>(static_cast<std::size_t>(layer.channels)), stream}
  {}

  /// One step. Returns the loss before it.
  double step()
  {
    using namespace dwconv;
    forward_tensors<float> const below{x_.data(), first_.data(), hidden_.data()};
    forward_tensors<float> const above{hidden_.data(), second_.data(), dy_.data()};
    require(forward<float, three_by_three, every_output>(layer, below, stream_));
    require(forward<float, three_by_three, every_output>(
      layer, above, stream_,
      epilogue::bias{bias_.data()} | epilogue::residual<float>{minus_target_.data()}));

    workspace const scratch{scratch_.data(), static_cast<std::int64_t>(scratch_.bytes())};
    require(backward_bias<float>(layer, {dy_.data(), bias_.gradient()}, scratch, stream_));
    require(backward_filter<float>(layer, {hidden_.data(), dy_.data(), second_.gradient()}, scratch,
                                   stream_));
    require(backward_data<float, three_by_three, every_output>(
      layer, {dy_.data(), second_.data(), dhidden_.data()}, stream_));
    require(backward_filter<float>(layer, {x_.data(), dhidden_.data(), first_.gradient()}, scratch,
                                   stream_));

    double const loss = half_mean_square(dy_.download(stream_));
    // A gradient is a sum over as many pixels; the rate is meant for their mean.
    float const rate =
      1.0f / static_cast<float>(layer.batch * layer.input.height * layer.input.width);
    for (parameters* each : {&first_, &second_, &bias_}) { each->step(rate, stream_); }
    return loss;
  }

 private:
  /// One workspace serves all sums, one after the other on a stream.
  [[nodiscard]] static std::int64_t scratch_elements()
  {
    auto const of_filter = dwconv::make_backward_filter_plan<float>(layer, 0);
    auto const of_bias   = dwconv::make_backward_bias_plan<float>(layer, 0);
    require(of_filter.outcome);
    require(of_bias.outcome);
    std::printf("%s", describe(of_filter).c_str());
    return std::max(workspace_bytes(of_filter), workspace_bytes(of_bias)) /
           static_cast<std::int64_t>(sizeof(float));
  }

  cudaStream_t stream_;
  device_buffer<float> x_;
  device_buffer<float> minus_target_;
  parameters first_;
  parameters second_;
  parameters bias_;
  device_buffer<float> hidden_{output_elements(layer)};
  device_buffer<float> dhidden_{output_elements(layer)};
  device_buffer<float> dy_{output_elements(layer)};
  device_buffer<float> scratch_{scratch_elements()};
};

/// What the known layers make of x, with its sign turned.
std::vector<float> minus_target_of(std::vector<float> const& x, cudaStream_t stream)
{
  device_buffer<float> const input{x, stream};
  device_buffer<float> const blur{known_filter(0.125f, 0.25f, 0.5f), stream};
  device_buffer<float> const sharpen{known_filter(0.0f, 0.25f, -1.25f), stream};
  device_buffer<float> const hidden{output_elements(layer)}, target{output_elements(layer)};
  require(dwconv::forward<float, three_by_three, every_output>(
    layer, {input.data(), blur.data(), hidden.data()}, stream));
  require(dwconv::forward<float, three_by_three, every_output>(
    layer, {hidden.data(), sharpen.data(), target.data()}, stream));
  std::vector<float> values = target.download(stream);
  for (float& value : values) { value -= 0.125f; }  // for the bias to learn
  return values;
}

int training_step(int argc, char** argv)
{
  take_no_arguments(argc, argv);
  if (!has_device()) { return skip_without_device(); }

  auto const stream          = make_stream();
  std::vector<float> const x = hashed_values(input_elements(layer), 1);
  student net{x, minus_target_of(x, stream.get()), stream.get()};
  double before = 0, loss = 0;
  for (int step = 0; step <= 60; ++step) {
    loss = net.step();
    if (step == 0) { before = loss; }
    if (step % 10 == 0) { std::printf("step %2d   loss %.6f\n", step, loss); }
  }
  if (!(loss < before / 10)) { throw std::runtime_error{"the loss does not fall as it should"}; }
  return exit_good;
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return training_step(argc, argv); });
}
