// SPDX-License-Identifier: Apache-2.0
// What may follow a convolution in the same kernel: the library's stages, chained with |, and one
// of the user's own.
#include <cmath>
#include <cstdio>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "agreement.hpp"
#include "cuda_handles.cuh"
#include "example_main.hpp"
#include "hashed_values.hpp"

namespace own {

/// A stage of our own: below zero, each channel has its own slope. Copied into the kernel, called
/// once per output. In a namespace with a name, for it becomes part of a kernel's.
struct prelu {
  float const* slope;  ///< Device memory, [C*M].

  __device__ float operator()(float sum, dwconv::output_coordinate const& at) const
  {
    return sum < 0 ? sum * slope[at.channel] : sum;
  }

  /// Optional: what `run` asks before it launches.
  dwconv::status check(dwconv::conv2d_problem const& problem,
                       dwconv::byte_range const& output) const
  {
    return check_read(dwconv::epilogue::per_channel("epilogue prelu.slope", slope, problem),
                      output);
  }
};

}  // namespace own

namespace {

using namespace examples;
namespace stages = dwconv::epilogue;

double silu(double x)
{
  return x / (1 + std::exp(-x));
}
double relu6(double x)
{
  return std::fmin(std::fmax(x, 0), 6);
}

/// One layer's data, on the host and on the device.
class layer {
 public:
  layer()
    : plan_{dwconv::make_forward_plan<float>(problem, 0)},
      x_{hashed_values(input_elements(problem), 1)},
      filter_{hashed_values(filter_elements(problem), 2)},
      sums_{dwconv_reference::forward(problem, x_, filter_)}
  {}

  /// Runs the layer with `epilogue` and compares with `expected(sum, channel, offset)`.
  template <typename Epilogue, typename Expected>
  void check(char const* what, Epilogue const& epilogue, Expected const& expected)
  {
    device_y_.poison(stream_.get());
    require(dwconv::run<float>(
      plan_, {.x = device_x_.data(), .filter = device_filter_.data(), .y = device_y_.data()},
      stream_.get(), epilogue));
    auto const y   = device_y_.download(stream_.get());
    auto const out = output_extent(problem);
    std::size_t at = 0;
    agreement found;
    for (auto const& sum : sums_) {
      auto const plane   = static_cast<std::int64_t>(at) / (out.height * out.width);
      auto const channel = static_cast<std::size_t>(plane % problem.output_channels());
      double const value = expected(sum.value, channel, at);
      // The stages here stretch an error of the sum by at most 2 and add a few roundings of values
      // no larger than these.
      double const bound = 2 * dwconv_reference::error_bound<float>(sum) +
                           0x1p-21 * (std::fabs(sum.value) + std::fabs(value) + 1);
      found.add(y[at++], value, bound);
    }
    found.report(what);
  }

  [[nodiscard]] device_buffer<float> to_device(std::vector<float> const& values) const
  {
    return {values, stream_.get()};
  }

  /// What the library says of an epilogue that it refuses.
  template <typename Epilogue>
  [[nodiscard]] dwconv::status refusal(Epilogue const& epilogue)
  {
    return dwconv::run<float>(
      plan_, {.x = device_x_.data(), .filter = device_filter_.data(), .y = device_y_.data()},
      stream_.get(), epilogue);
  }

  static constexpr dwconv::conv2d_problem problem{
    .batch    = 2,
    .channels = 16,
    .input    = {61, 47},
    .filter   = {5, 5},
    .pad      = {.top = 2, .bottom = 2, .left = 2, .right = 2}};

 private:
  handle<cudaStream_t> stream_ = make_stream();
  dwconv::forward_plan plan_;
  std::vector<float> x_, filter_;
  std::vector<dwconv_reference::sum_at> sums_;
  device_buffer<float> device_x_      = to_device(x_);
  device_buffer<float> device_filter_ = to_device(filter_);
  device_buffer<float> device_y_{output_elements(problem)};
};

int epilogues(int argc, char** argv)
{
  take_no_arguments(argc, argv);
  if (!has_device()) { return skip_without_device(); }

  layer convolution;
  std::printf("%s\n", describe(layer::problem).c_str());
  std::int64_t const channels = layer::problem.output_channels();
  auto const first            = hashed_values(channels, 3);
  auto const second           = hashed_values(channels, 4);
  auto const shortcut         = hashed_values(output_elements(layer::problem), 5);
  auto const device_first     = convolution.to_device(first);
  auto const device_second    = convolution.to_device(second);
  auto const device_shortcut  = convolution.to_device(shortcut);

  convolution.check(
    "bias | silu", stages::bias<float>{device_first.data()} | stages::silu{},
    [&](double sum, std::size_t channel, std::size_t) { return silu(sum + first[channel]); });

  // A batch normalisation in inference is one multiply-add per output.
  convolution.check(
    "batch norm | relu6",
    stages::scale_shift<float>{device_first.data(), device_second.data()} | stages::relu6{},
    [&](double sum, std::size_t channel, std::size_t) {
      return relu6(sum * first[channel] + second[channel]);
    });

  convolution.check(
    "residual", stages::residual<float>{device_shortcut.data()},
    [&](double sum, std::size_t, std::size_t offset) { return sum + shortcut[offset]; });

  convolution.check("bias | own prelu",
                    stages::bias<float>{device_first.data()} | own::prelu{device_second.data()},
                    [&](double sum, std::size_t channel, std::size_t) {
                      double const biased = sum + first[channel];
                      return biased < 0 ? biased * second[channel] : biased;
                    });

  dwconv::status const refused = convolution.refusal(own::prelu{nullptr});
  if (refused.ok()) { throw std::runtime_error{"a null slope was not refused"}; }
  std::printf("own prelu without slopes: %s\n", refused.message().c_str());
  return exit_good;
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return epilogues(argc, argv); });
}
