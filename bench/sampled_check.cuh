// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <dwconv/problem/tensors.hpp>

#include "random_data.cuh"
#include "reference/conv2d.hpp"
#include "session.cuh"

namespace dwconv_bench {

/// Sequences of random numbers that fill the tensors.
inline constexpr std::uint64_t x_sequence = 1, filter_sequence = 2, sample_sequence = 3,
                               dy_sequence = 4;

/// One element of a tensor of planes by its coordinates.
struct output_place {
  std::int64_t n, k, i, j;
};

/// A tensor of planes.
struct planes_shape {
  std::int64_t batch, channels;
  dwconv::extent2 plane;
};

/// Element number `sample` of a check: first and last in memory, then random ones, every second of
/// them on the edge of its plane, where halos and padding go wrong.
[[nodiscard]] inline output_place sampled_place(planes_shape const& p, int sample)
{
  dwconv::extent2 const out = p.plane;
  std::int64_t number       = std::int64_t{8} * sample;
  auto const below          = [&](std::int64_t count) {
    double const unit = (random_value(sample_sequence, number++) + 1) / 2;
    return std::min(static_cast<std::int64_t>(unit * static_cast<double>(count)), count - 1);
  };
  if (sample == 0) { return {0, 0, 0, 0}; }
  if (sample == 1) { return {p.batch - 1, p.channels - 1, out.height - 1, out.width - 1}; }
  output_place place{below(p.batch), below(p.channels), below(out.height), below(out.width)};
  if (sample % 2 == 1) {
    switch (below(4)) {
      case 0: place.i = 0; break;
      case 1: place.i = out.height - 1; break;
      case 2: place.j = 0; break;
      default: place.j = out.width - 1; break;
    }
  }
  return place;
}

template <dwconv::element T>
__global__ void __launch_bounds__(fill_threads)
  gather_kernel(T const* y, std::int64_t const* offsets, T* values, int count)
{
  int const i = static_cast<int>(blockIdx.x) * fill_threads + static_cast<int>(threadIdx.x);
  if (i < count) { values[i] = y[offsets[i]]; }
}

/// The elements of y at `offsets`, brought to the host.
template <dwconv::element T>
[[nodiscard]] std::vector<T> gather(bench_session& session, T const* y,
                                    std::vector<std::int64_t> const& offsets)
{
  std::size_t const count        = offsets.size();
  std::size_t const offset_bytes = count * sizeof(std::int64_t);
  std::byte* const memory =
    session.samples.reserve(static_cast<std::int64_t>(offset_bytes + count * sizeof(T)));
  auto* const device_offsets = reinterpret_cast<std::int64_t*>(memory);
  auto* const device_values  = reinterpret_cast<T*>(memory + offset_bytes);
  std::vector<T> values(count);
  check(cudaMemcpyAsync(device_offsets, offsets.data(), offset_bytes, cudaMemcpyHostToDevice,
                        session.stream),
        "cudaMemcpyAsync of sample offsets");
  unsigned const blocks = static_cast<unsigned>((count + fill_threads - 1) / fill_threads);
  check(dwconv::launch(&gather_kernel<T>, {.grid = dim3(blocks), .block = dim3(fill_threads)},
                       session.stream, y, device_offsets, device_values, static_cast<int>(count)),
        "launch of gather_kernel");
  check(cudaMemcpyAsync(values.data(), device_values, count * sizeof(T), cudaMemcpyDeviceToHost,
                        session.stream),
        "cudaMemcpyAsync of samples");
  check(cudaStreamSynchronize(session.stream), "checked run");
  return values;
}

/// Collects how sampled outputs compare with the reference.
class sample_verdict {
 public:
  explicit sample_verdict(char const* tensor) : tensor_{tensor} {}

  void add(output_place const& at, double value, double expected, double bound)
  {
    ++samples_;
    bool const close = std::fabs(value - expected) <= bound;  // false for a NaN
    if (close || wrong_++ > 0) { return; }
    char text[256];
    std::snprintf(text, sizeof text, "%s[%lld][%lld][%lld][%lld] is %g, must be %g give or take %g",
                  tensor_, static_cast<long long>(at.n), static_cast<long long>(at.k),
                  static_cast<long long>(at.i), static_cast<long long>(at.j), value, expected,
                  bound);
    first_ = text;
  }

  /// @throws std::runtime_error that says how many were wrong, and which was the first.
  void throw_if_wrong() const
  {
    if (wrong_ == 0) { return; }
    throw std::runtime_error{std::to_string(wrong_) + " of " + std::to_string(samples_) +
                             " sampled outputs are wrong: " + first_};
  }

 private:
  char const* tensor_;
  int samples_ = 0;
  int wrong_   = 0;
  std::string first_;
};

/// What forward must have written at one place, given the random sequences that filled x and the
/// filter.
template <dwconv::element T>
[[nodiscard]] dwconv_reference::sum_at expected_output(dwconv::conv2d_problem const& problem,
                                                       output_place const& at)
{
  auto const x_at = [&](std::int64_t n, std::int64_t c, std::int64_t row, std::int64_t column) {
    auto const offset = dwconv_reference::offset_of(problem.data_layout, problem.channels,
                                                    problem.input, n, c, row, column);
    return dwconv_reference::to_double(
      random_element<T>(x_sequence, static_cast<std::int64_t>(offset)));
  };
  auto const filter_at = [&](std::int64_t k, std::int64_t r, std::int64_t s) {
    return dwconv_reference::to_double(random_element<T>(
      filter_sequence, s + problem.filter.width * (r + problem.filter.height * k)));
  };
  return dwconv_reference::forward_of(problem, x_at, filter_at, at.n, at.k, at.i, at.j);
}

/// Compares sampled outputs of a forward call with the reference.
///
/// @throws std::runtime_error that says how many were wrong, and which was the first.
template <dwconv::element T>
void check_forward_samples(bench_session& session, dwconv::conv2d_problem const& problem,
                           T const* y)
{
  constexpr int samples = 2000;
  std::vector<output_place> places;
  std::vector<std::int64_t> offsets;
  for (int sample = 0; sample < samples; ++sample) {
    auto const at = places.emplace_back(sampled_place(
      {problem.batch, problem.output_channels(), dwconv_reference::output_shape(problem)}, sample));
    offsets.push_back(
      static_cast<std::int64_t>(dwconv_reference::output_offset(problem, at.n, at.k, at.i, at.j)));
  }
  std::vector<T> const found = gather(session, y, offsets);
  sample_verdict verdict{"y"};
  for (std::size_t sample = 0; sample < places.size(); ++sample) {
    auto const expected = expected_output<T>(problem, places[sample]);
    verdict.add(places[sample], dwconv_reference::to_double(found[sample]), expected.value,
                dwconv_reference::error_bound<T>(expected));
  }
  verdict.throw_if_wrong();
}

}  // namespace dwconv_bench
