// SPDX-License-Identifier: Apache-2.0
// The same convolution twice: the filter and stride given at run time, and fixed at compile time.
// The second door compiles one kernel, made for this filter, and refuses any other.
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include <dwconv/dwconv.cuh>

#include "cold_timing.cuh"
#include "cuda_handles.cuh"
#include "example_main.hpp"
#include "hashed_values.hpp"

namespace {

using namespace examples;

using three_by_three = dwconv::taps<3, 3>;
using every_output   = dwconv::stride<1, 1>;

bool same_bits(std::vector<float> const& a, std::vector<float> const& b)
{
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

int compile_time_filter(int argc, char** argv)
{
  take_no_arguments(argc, argv);
  if (!has_device()) { return skip_without_device(); }

  dwconv::conv2d_problem const problem{.batch    = 32,
                                       .channels = 64,
                                       .input    = {128, 128},
                                       .filter   = {3, 3},
                                       .pad      = {.top = 1, .bottom = 1, .left = 1, .right = 1}};
  std::printf("%s\n", describe(problem).c_str());
  auto const stream = make_stream();
  device_buffer<float> const x{hashed_values(input_elements(problem), 1), stream.get()};
  device_buffer<float> const filter{hashed_values(filter_elements(problem), 2), stream.get()};
  device_buffer<float> y{output_elements(problem)};
  dwconv::forward_tensors<float> const tensors{
    .x = x.data(), .filter = filter.data(), .y = y.data()};

  auto const at_run_time = [&](cudaStream_t s) {
    require(dwconv::forward<float>(problem, tensors, s));
  };
  auto const at_compile_time = [&](cudaStream_t s) {
    require(dwconv::forward<float, three_by_three, every_output>(problem, tensors, s));
  };
  auto const result_of = [&](auto const& enqueue) {
    y.poison(stream.get());
    enqueue(stream.get());
    return y.download(stream.get());
  };
  if (!same_bits(result_of(at_run_time), result_of(at_compile_time))) {
    throw std::runtime_error{"the two doors do not give the same bits"};
  }
  std::printf("both doors give the same %lld bits\n",
              static_cast<long long>(y.bytes()) * std::numeric_limits<unsigned char>::digits);
  std::printf("filter at run time       %.4f ms\n", median_cold_ms(stream.get(), at_run_time));
  std::printf("filter at compile time   %.4f ms\n", median_cold_ms(stream.get(), at_compile_time));

  dwconv::conv2d_problem other = problem;
  other.filter                 = {3, 5};
  dwconv::status const refused =
    dwconv::forward<float, three_by_three, every_output>(other, tensors, stream.get());
  if (refused.code != dwconv::status_code::mismatch) {
    throw std::runtime_error{"a 3x5 filter was not refused"};
  }
  std::printf("a 3x5 filter at the door compiled for 3x3: %s\n", refused.message().c_str());
  return exit_good;
}

}  // namespace

int main(int argc, char** argv)
{
  return run_example([&] { return compile_time_filter(argc, argv); });
}
