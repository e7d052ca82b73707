// SPDX-License-Identifier: Apache-2.0
#include "forward/epilogue_case.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
namespace epilogue = dwconv::epilogue;

namespace {

constexpr conv2d_problem problem{
  .batch = 1, .channels = 3, .input = {12, 17}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

/// Sums from about -20 to 20, with some near zero.
template <typename T>
forward_case<T> wide_case()
{
  return real_case<T>(problem, 21);
}

double sigmoid(double x)
{
  return 1 / (1 + std::exp(-x));
}
double normal(double x)
{
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

}  // namespace

TEST_CASE("identity leaves the sum", "[activations]")
{
  CHECK(agrees_with(wide_case<float>(), epilogue::identity{}, [](double x, auto) { return x; }));
}

TEST_CASE("relu keeps what is positive", "[activations]")
{
  CHECK(agrees_with(wide_case<float>(), epilogue::relu{},
                    [](double x, auto) { return std::fmax(x, 0); }));
}

TEST_CASE("relu6 keeps what is between 0 and 6", "[activations]")
{
  CHECK(agrees_with(wide_case<float>(), epilogue::relu6{},
                    [](double x, auto) { return std::fmin(std::fmax(x, 0), 6); }));
}

TEST_CASE("silu multiplies by the logistic function", "[activations]")
{
  auto const silu = [](double x, auto) { return x * sigmoid(x); };
  CHECK(agrees_with(wide_case<float>(), epilogue::silu{}, silu, 1.1));
  CHECK(agrees_with(wide_case<__half>(), epilogue::silu{}, silu, 1.1));
  CHECK(agrees_with(wide_case<double>(), epilogue::silu{}, silu, 1.1));
}

TEST_CASE("hardswish is x relu6(x + 3) / 6", "[activations]")
{
  CHECK(agrees_with(
    wide_case<float>(), epilogue::hardswish{},
    [](double x, auto) { return x * std::fmin(std::fmax(x + 3, 0), 6) / 6; }, 1.5));
}

TEST_CASE("gelu multiplies by the normal distribution function", "[activations]")
{
  auto const gelu = [](double x, auto) { return x * normal(x); };
  CHECK(agrees_with(wide_case<float>(), epilogue::gelu{}, gelu, 1.2));
  CHECK(agrees_with(wide_case<double>(), epilogue::gelu{}, gelu, 1.2));
}

TEST_CASE("gelu_tanh is the tanh approximation", "[activations]")
{
  CHECK(agrees_with(
    wide_case<float>(), epilogue::gelu_tanh{},
    [](double x, auto) {
      double const inner = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
      return x / 2 * (1 + std::tanh(inner));
    },
    1.2));
}

TEST_CASE("large sums of either sign stay finite", "[activations]")
{
  conv2d_problem const one{.batch = 1, .channels = 1, .input = {1, 6}, .filter = {1, 1}};
  forward_case<float> const c{one, {-1e30f, -200, -90, 90, 200, 1e30f}, {1}};
  CHECK(output_of(c, door_with{epilogue::silu{}}) == std::vector<float>{0, 0, 0, 90, 200, 1e30f});
  CHECK(output_of(c, door_with{epilogue::gelu{}}) == std::vector<float>{0, 0, 0, 90, 200, 1e30f});
  CHECK(output_of(c, door_with{epilogue::hardswish{}})[0] == 0);
}

TEST_CASE("NaN stays NaN through every activation", "[activations]")
{
  conv2d_problem const one{.batch = 1, .channels = 1, .input = {1, 1}, .filter = {1, 1}};
  forward_case<float> const c{one, {NAN}, {1}};
  auto const keeps_nan = [&](auto const& stage) {
    std::vector<float> const y = output_of(c, door_with{stage});
    return y.size() == 1 && std::isnan(y[0]);
  };
  CHECK(keeps_nan(epilogue::relu{}));
  CHECK(keeps_nan(epilogue::relu6{}));
  CHECK(keeps_nan(epilogue::silu{}));
  CHECK(keeps_nan(epilogue::hardswish{}));
  CHECK(keeps_nan(epilogue::gelu{}));
  CHECK(keeps_nan(epilogue::gelu_tanh{}));
}
