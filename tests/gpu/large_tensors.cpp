// SPDX-License-Identifier: Apache-2.0
// Tensors of more than 2^31 elements: too large to compute on the CPU, so x is a function of the
// index, and outputs are sampled.
#include <algorithm>
#include <string>
#include <vector>

#include <dwconv/forward.cuh>

#include "device_memory.hpp"
#include "forward/inputs.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

constexpr std::int64_t two_to_31 = std::int64_t{1} << 31;

/// -3 to 3, from an element's index.
__host__ __device__ int integer_at(std::int64_t index)
{
  auto z = static_cast<std::uint64_t>(index) * 0x9E3779B97F4A7C15u;
  z      = (z ^ (z >> 32)) * 0xBF58476D1CE4E5B9u;
  return static_cast<int>((z >> 40) % 7) - 3;
}

__global__ void fill_kernel(__half* values, std::int64_t elements)
{
  std::int64_t const step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < elements;
       i += step) {
    values[i] = __int2half_rn(integer_at(i));
  }
}

__global__ void sample_kernel(__half const* values, std::int64_t const* places, float* samples,
                              int count)
{
  int const i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) { samples[i] = __half2float(values[places[i]]); }
}

/// Outputs all over y: both ends, both sides of 2^31, and at random.
std::vector<std::int64_t> sampled_places(std::int64_t outputs)
{
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < 2000; ++i) {
    for (std::int64_t const place : {i, outputs - 1 - i, two_to_31 - 1000 + i}) {
      if (place >= 0 && place < outputs) { places.push_back(place); }
    }
  }
  dice random{91};
  while (places.size() < 100'000) { places.push_back(random.between(0, outputs - 1)); }
  return places;
}

double expected_at(conv2d_problem const& p, std::vector<__half> const& filter, std::int64_t place)
{
  using namespace dwconv_reference;
  extent2 const out           = output_shape(p);
  std::int64_t const channels = p.channels * p.multiplier;
  std::int64_t n, k, i, j;
  if (p.data_layout == layout::nchw) {
    j = place % out.width, i = place / out.width % out.height;
    k = place / out.width / out.height % channels, n = place / out.width / out.height / channels;
  } else {
    k = place % channels, j = place / channels % out.width;
    i = place / channels / out.width % out.height, n = place / channels / out.width / out.height;
  }
  auto const x_at = [&](std::int64_t image, std::int64_t c, std::int64_t row, std::int64_t column) {
    std::size_t const at = offset_of(p.data_layout, p.channels, p.input, image, c, row, column);
    return integer_at(static_cast<std::int64_t>(at));
  };
  auto const filter_at = [&](std::int64_t output, std::int64_t r, std::int64_t s) {
    auto const at = static_cast<std::size_t>(s + p.filter.width * (r + p.filter.height * output));
    return to_double(filter[at]);
  };
  return to_double(rounded<__half>(forward_of(p, x_at, filter_at, n, k, i, j).value));
}

std::vector<float> sampled(device_memory<__half>& y, std::vector<std::int64_t> const& places)
{
  auto const count = static_cast<int>(places.size());
  device_buffer<std::int64_t> at{places};
  device_buffer<float> samples{places.size(), poison{}};
  sample_kernel<<<(count + 255) / 256, 256, 0, test_stream()>>>(y.data(), at.data(), samples.data(),
                                                                count);
  require_cuda(synchronize(), "sample_kernel");
  return samples.read();
}

/// How many of the sampled outputs are wrong.
int wrong_outputs(conv2d_problem const& p)
{
  std::int64_t const inputs  = static_cast<std::int64_t>(x_size(p)),
                     outputs = static_cast<std::int64_t>(y_size(p));
  need_device_memory((inputs + outputs) * 2 + (std::int64_t{1} << 29));
  device_memory<__half> x{inputs}, y{outputs};
  auto const filter_values = integers<__half>(filter_size(p), 92);
  device_buffer<__half> filter{filter_values};
  fill_kernel<<<4096, 256, 0, test_stream()>>>(x.data(), inputs);
  dwconv::status const outcome =
    dwconv::forward<__half>(p, {x.data(), filter.data(), y.data()}, test_stream());
  INFO(outcome.message());
  REQUIRE(outcome.ok());
  REQUIRE(synchronize() == cudaSuccess);

  auto const places = sampled_places(outputs);
  auto const found  = sampled(y, places);
  int wrong         = 0;
  for (std::size_t s = 0; s < places.size(); ++s) {
    wrong += static_cast<double>(found[s]) != expected_at(p, filter_values, places[s]);
  }
  return wrong;
}

}  // namespace

TEST_CASE("x and y of more than 2^31 elements", "[large_tensors]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const p{.batch       = 2,
                           .channels    = 66,
                           .input       = {4096, 4096},
                           .filter      = {3, 3},
                           .pad         = {1, 1, 1, 1},
                           .data_layout = order};
    CHECK(y_size(p) > static_cast<std::size_t>(two_to_31));
    CHECK(wrong_outputs(p) == 0);
  }
}

TEST_CASE("x of more than 2^31 elements, y of few", "[large_tensors]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    CHECK(wrong_outputs({.batch       = 1,
                         .channels    = 130,
                         .input       = {4096, 4096},
                         .filter      = {5, 4},
                         .stride      = {16, 16},
                         .pad         = {0, 2, 0, 1},
                         .data_layout = order}) == 0);
  }
}

TEST_CASE("y of more than 2^31 elements, x of fewer", "[large_tensors]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    CHECK(wrong_outputs({.batch       = 3,
                         .channels    = 11,
                         .multiplier  = 4,
                         .input       = {4096, 4096},
                         .filter      = {2, 2},
                         .pad         = {1, 0, 0, 1},
                         .data_layout = order}) == 0);
  }
}
