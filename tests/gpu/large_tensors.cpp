// SPDX-License-Identifier: Apache-2.0
// Tensors of more than 2^31 elements: too large to compute on the CPU, so x is a function of the
// index, and outputs are sampled.
#include <vector>

#include <dwconv/forward.cuh>

#include "device_memory.hpp"
#include "forward/inputs.hpp"
#include "hashed_integers.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

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
