// SPDX-License-Identifier: Apache-2.0
// Gradients where x and dy have more than 2^31 elements, which are functions of the index: elements
// of dx are sampled, and a few of the sums over the whole batch are done again on the CPU.
#include <vector>

#include "backward/doors.hpp"
#include "hashed_integers.hpp"
#include "reference/gradients.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;
using namespace dwconv_reference;

namespace {

constexpr std::int64_t dy_shift = std::int64_t{1} << 40;

struct coordinate {
  std::int64_t n, c, i, j;
};

coordinate coordinate_of(layout order, std::int64_t channels, extent2 plane, std::int64_t place)
{
  if (order == layout::nchw) {
    return {place / plane.width / plane.height / channels,
            place / plane.width / plane.height % channels, place / plane.width % plane.height,
            place % plane.width};
  }
  return {place / channels / plane.width / plane.height, place % channels,
          place / channels / plane.width % plane.height, place / channels % plane.width};
}

auto hashed_planes(layout order, std::int64_t channels, extent2 plane, std::int64_t shift)
{
  return [=](std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) {
    auto const at = offset_of(order, channels, plane, n, c, i, j);
    return integer_at(static_cast<std::int64_t>(at) + shift);
  };
}

/// All three gradients of tensors of hashed integers.
class large_case {
 public:
  explicit large_case(conv2d_problem const& p) : p_{p}
  {
    fill_kernel<<<4096, 256, 0, test_stream()>>>(x_.data(), x_.elements());
    fill_kernel<<<4096, 256, 0, test_stream()>>>(dy_.data(), dy_.elements(), dy_shift);
  }

  /// How many of the sampled elements are wrong.
  int wrong_in_dx()
  {
    device_buffer<__half> filter{filter_values_};
    REQUIRE(dwconv::backward_data<__half>(p_, {dy_.data(), filter.data(), x_.data()}, test_stream())
              .ok());
    REQUIRE(synchronize() == cudaSuccess);
    auto const places = sampled_places(x_.elements());
    auto const found  = sampled(x_, places);
    auto const dy_at =
      hashed_planes(p_.data_layout, p_.output_channels(), output_shape(p_), dy_shift);
    auto const filter_at = [&](std::int64_t k, std::int64_t r, std::int64_t s) {
      auto const at = s + p_.filter.width * (r + p_.filter.height * k);
      return to_double(filter_values_[static_cast<std::size_t>(at)]);
    };
    int wrong = 0;
    for (std::size_t s = 0; s < places.size(); ++s) {
      auto const at       = coordinate_of(p_.data_layout, p_.channels, p_.input, places[s]);
      auto const expected = backward_data_of(p_, dy_at, filter_at, at.n, at.c, at.i, at.j);
      wrong += static_cast<double>(found[s]) != to_double(rounded<__half>(expected.value));
    }
    return wrong;
  }

  /// Of the first and last tap of the first and last channel.
  int wrong_in_dfilter()
  {
    auto const plan = dwconv::make_backward_filter_plan<__half>(p_, 0);
    device_buffer<float> scratch{static_cast<std::size_t>(workspace_bytes(plan) / 4), poison{}};
    device_buffer<float> dfilter{filter_size(p_), poison{}};
    REQUIRE(dwconv::run<__half, float>(plan, {x_.data(), dy_.data(), dfilter.data()},
                                       {scratch.data(), workspace_bytes(plan)}, test_stream())
              .ok());
    REQUIRE(synchronize() == cudaSuccess);
    auto const found = dfilter.read();
    auto const x_at  = hashed_planes(p_.data_layout, p_.channels, p_.input, 0);
    auto const dy_at =
      hashed_planes(p_.data_layout, p_.output_channels(), output_shape(p_), dy_shift);
    int wrong = 0;
    for (std::size_t const tap : {std::size_t{0}, found.size() - 1}) {
      auto const at        = static_cast<std::int64_t>(tap);
      std::int64_t const s = at % p_.filter.width, r = at / p_.filter.width % p_.filter.height;
      std::int64_t const k = at / p_.filter.width / p_.filter.height;
      auto const expected  = backward_filter_of(p_, x_at, dy_at, k, r, s);
      wrong += static_cast<double>(found[tap]) != expected.value;
    }
    return wrong;
  }

  int wrong_in_dbias()
  {
    auto const plan = dwconv::make_backward_bias_plan<__half>(p_, 0);
    device_buffer<float> scratch{static_cast<std::size_t>(workspace_bytes(plan) / 4), poison{}};
    device_buffer<float> dbias{static_cast<std::size_t>(p_.output_channels()), poison{}};
    REQUIRE(dwconv::run<__half, float>(plan, {dy_.data(), dbias.data()},
                                       {scratch.data(), workspace_bytes(plan)}, test_stream())
              .ok());
    REQUIRE(synchronize() == cudaSuccess);
    std::int64_t const last = p_.output_channels() - 1;
    extent2 const out       = output_shape(p_);
    auto const dy_at        = hashed_planes(p_.data_layout, p_.output_channels(), out, dy_shift);
    double sum              = 0;
    for (std::int64_t n = 0; n < p_.batch; ++n) {
      for (std::int64_t i = 0; i < out.height; ++i) {
        for (std::int64_t j = 0; j < out.width; ++j) { sum += dy_at(n, last, i, j); }
      }
    }
    return static_cast<double>(dbias.read().back()) != sum;
  }

 private:
  conv2d_problem p_;
  device_memory<__half> x_{static_cast<std::int64_t>(x_size(p_))};
  device_memory<__half> dy_{static_cast<std::int64_t>(y_size(p_))};
  std::vector<__half> filter_values_{integers<__half>(filter_size(p_), 92)};
};

}  // namespace

TEST_CASE("gradients of more than 2^31 elements", "[large_gradients]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    // Sums of so many integers stay below 2^24 by far, and are exact.
    conv2d_problem const p{.batch       = 2,
                           .channels    = 66,
                           .input       = {4096, 4096},
                           .filter      = {3, 3},
                           .pad         = {1, 1, 1, 1},
                           .data_layout = order};
    need_device_memory(static_cast<std::int64_t>(x_size(p) + y_size(p)) * 2 +
                       (std::int64_t{1} << 29));
    large_case gradients{p};
    CHECK(gradients.wrong_in_dfilter() == 0);
    CHECK(gradients.wrong_in_dbias() == 0);
    CHECK(gradients.wrong_in_dx() == 0);  // last: dx takes the place of x
  }
}

TEST_CASE("a gradient of more than 2^31 elements that the direct family computes",
          "[large_gradients]")
{
  conv2d_problem const p{.batch    = 1,
                         .channels = 130,
                         .input    = {4096, 4096},
                         .filter   = {5, 4},
                         .stride   = {4, 4},
                         .pad      = {0, 2, 0, 1}};
  need_device_memory(static_cast<std::int64_t>(x_size(p) + y_size(p)) * 2 +
                     (std::int64_t{1} << 29));
  large_case gradients{p};
  CHECK(gradients.wrong_in_dfilter() == 0);
  CHECK(gradients.wrong_in_dx() == 0);
}
