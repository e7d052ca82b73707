// SPDX-License-Identifier: Apache-2.0
// One depthwise convolution: planned, run, timed against a copy of the same bytes, and checked.
// Without a GPU the same kernel runs emulated on the CPU, on a small problem.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "agreement.hpp"
#include "cold_timing.cuh"
#include "command_line.hpp"
#include "cuda_handles.cuh"
#include "emulated_forward.hpp"
#include "example_main.hpp"
#include "hashed_values.hpp"

namespace {

using namespace examples;
using dwconv::conv2d_problem;

constexpr std::uint64_t x_seed          = 1;
constexpr std::uint64_t filter_seed     = 2;
constexpr std::int64_t sampled_outputs  = 4096;
constexpr double most_emulated_bytes    = 256e6;
constexpr double most_emulated_products = 256e6;

float x_value(std::int64_t offset)
{
  return hashed_value(offset, x_seed);
}
float filter_value(std::int64_t offset)
{
  return hashed_value(offset, filter_seed);
}

__global__ void fill_with_hash(float* values, std::int64_t count, std::uint64_t seed)
{
  std::int64_t const step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    values[i] = hashed_value(i, seed);
  }
}

void fill(device_buffer<float> const& buffer, std::uint64_t seed, cudaStream_t stream)
{
  fill_with_hash<<<2048, 256, 0, stream>>>(buffer.data(), buffer.size(), seed);
  require(cudaGetLastError(), "launch of fill_with_hash");
}

void print_speed(char const* what, double ms, double bytes)
{
  std::printf("%-24s %.4f ms, %.0f GB/s (median of %d cold runs)\n", what, ms, bytes / ms / 1e6,
              cold_runs);
}

/// `y_of` gives the output at an offset into y.
template <typename Y>
void check(conv2d_problem const& problem, Y const& y_of)
{
  agreement found;
  for (auto const offset : sampled_offsets(output_elements(problem), sampled_outputs)) {
    auto const expected = reference_at(problem, x_value, filter_value, offset);
    found.add(y_of(offset), expected.value, dwconv_reference::error_bound<float>(expected));
  }
  found.report("against double");
}

/// Milliseconds of a device-to-device copy that reads and writes `bytes` in all.
double time_copy(std::int64_t bytes, cudaStream_t stream)
{
  device_buffer<float> from{std::max<std::int64_t>(1, bytes / 2 / std::int64_t{sizeof(float)})};
  device_buffer<float> to{from.size()};
  fill(from, x_seed, stream);
  return median_cold_ms(stream, [&](cudaStream_t s) {
    require(cudaMemcpyAsync(to.data(), from.data(), from.bytes(), cudaMemcpyDeviceToDevice, s),
            "cudaMemcpyAsync within the device");
  });
}

/// Milliseconds of the planned convolution, whose result is checked.
double time_forward(dwconv::forward_plan const& plan, cudaStream_t stream)
{
  device_buffer<float> x{input_elements(plan.problem)};
  device_buffer<float> filter{filter_elements(plan.problem)};
  device_buffer<float> y{output_elements(plan.problem)};
  fill(x, x_seed, stream);
  fill(filter, filter_seed, stream);
  y.poison(stream);

  dwconv::forward_tensors<float> const tensors{
    .x = x.data(), .filter = filter.data(), .y = y.data()};
  require(dwconv::run(plan, tensors, stream));
  wait_for(stream);
  check(plan.problem, [&](std::int64_t offset) {
    float value = 0;
    require(
      cudaMemcpyAsync(&value, y.data() + offset, sizeof value, cudaMemcpyDeviceToHost, stream),
      "cudaMemcpyAsync to the host");
    wait_for(stream);
    return value;
  });
  return median_cold_ms(stream, [&](cudaStream_t s) { require(dwconv::run(plan, tensors, s)); });
}

int report_nothing_to_run()
{
  std::printf("no images: nothing to run\n");
  return exit_good;
}

int run_on_device(conv2d_problem const& problem)
{
  cudaDeviceProp device{};
  require(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  std::printf("%s, %d multiprocessors\n", device.name, device.multiProcessorCount);

  dwconv::forward_plan const plan = dwconv::make_forward_plan<float>(problem, 0);
  require(plan.outcome);
  std::printf("%s", describe(plan).c_str());
  if (problem.batch == 0) { return report_nothing_to_run(); }

  std::int64_t const bytes = forward_traffic(problem, plan.element).bytes();
  require_device_memory(bytes + flush_bytes());
  auto const stream       = make_stream();
  double const forward_ms = time_forward(plan, stream.get());
  double const copy_ms    = time_copy(bytes, stream.get());
  print_speed("forward", forward_ms, static_cast<double>(bytes));
  print_speed("copy of the same bytes", copy_ms, static_cast<double>(bytes));
  std::printf("%-24s %.0f %%\n", "share of copy speed", 100 * copy_ms / forward_ms);
  return exit_good;
}

bool can_be_emulated(conv2d_problem const& problem)
{
  dwconv::traffic const t = forward_traffic(problem, dwconv::dtype::float32);
  return static_cast<double>(t.bytes()) <= most_emulated_bytes &&
         t.multiply_adds <= most_emulated_products;
}

/// The same filter, stride, dilation and padding on fewer and smaller planes.
conv2d_problem shrunk(conv2d_problem problem)
{
  constexpr std::int64_t most = 64;  // rows and columns beside what the filter spans
  dwconv::extent2 const span  = filter_span(problem);
  problem.batch               = std::min<std::int64_t>(problem.batch, 2);
  problem.channels            = std::min<std::int64_t>(problem.channels, 4);
  problem.input               = {std::min(problem.input.height, span.height + most),
                                 std::min(problem.input.width, span.width + most)};
  return problem;
}

int run_on_cpu(conv2d_problem const& asked)
{
  std::printf("no CUDA device: the kernel runs emulated on the CPU, planned as for an H200\n");
  conv2d_problem const problem = can_be_emulated(asked) ? asked : shrunk(asked);
  if (!can_be_emulated(problem)) {
    throw std::invalid_argument{"this filter takes more time or memory than emulating is good for"};
  }
  if (problem != asked) {
    std::printf("asked for: %s\nwhich is too large to emulate; a smaller one:\n",
                describe(asked).c_str());
  }

  dwconv::forward_plan const plan = plan_emulated(problem);
  require(plan.outcome);
  std::printf("%s", describe(plan).c_str());
  if (problem.batch == 0) { return report_nothing_to_run(); }
  auto const x      = hashed_values(input_elements(problem), x_seed);
  auto const filter = hashed_values(filter_elements(problem), filter_seed);
  std::vector<float> y(static_cast<std::size_t>(output_elements(problem)), std::nanf(""));
  run_emulated(plan, {.x = x.data(), .filter = filter.data(), .y = y.data()});
  check(problem, [&](std::int64_t offset) { return y[static_cast<std::size_t>(offset)]; });
  return exit_good;
}

int forward_example(int argc, char** argv)
{
  // KernelBench level 1, problem 84.
  conv2d_problem problem{.batch = 64, .channels = 128, .input = {256, 512}, .filter = {3, 3}};
  std::vector<option> const options{
    {"batch", "images (64)", &problem.batch},
    {"channels", "input channels (128)", &problem.channels},
    {"multiplier", "output channels per input channel (1)", &problem.multiplier},
    {"height", "rows of x (256)", &problem.input.height},
    {"width", "columns of x (512)", &problem.input.width},
    {"filter", "taps: 3 or HEIGHTxWIDTH (3x3)", &problem.filter},
    {"stride", "1 or HEIGHTxWIDTH (1x1)", &problem.stride},
    {"dilation", "1 or HEIGHTxWIDTH (1x1)", &problem.dilation},
    {"pad", "1 or TOP,BOTTOM,LEFT,RIGHT (0)", &problem.pad},
    {"layout", "nchw or nhwc (nchw)", &problem.data_layout},
  };
  if (!read_command_line(argc, argv, options)) { return exit_good; }
  require(validate(problem));
  return has_device() ? run_on_device(problem) : run_on_cpu(problem);
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return forward_example(argc, argv); });
}
