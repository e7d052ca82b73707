// SPDX-License-Identifier: Apache-2.0
// A convolution is linear in x and in the filter, and its gradients are the adjoints of these maps:
// <dy, conv(x, f)> = <backward_data(dy, f), x> = <backward_filter(x, dy), f>, whatever the
// reference says; exact on integers. A derivative by differences says the same another way.
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;

namespace {

std::vector<conv2d_problem> problems()
{
  std::vector<conv2d_problem> all{
    {.batch = 2, .channels = 3, .input = {11, 13}, .filter = {3, 3}, .pad = {1, 1, 1, 1}},
    {.batch = 2, .channels = 3, .input = {12, 9}, .filter = {3, 5}, .pad = {0, 2, 3, 1}},
    {.batch      = 2,
     .channels   = 2,
     .multiplier = 3,
     .input      = {9, 10},
     .filter     = {3, 4},
     .stride     = {2, 1},
     .pad        = {1, 2, 3, 0}},
    {.batch    = 1,
     .channels = 4,
     .input    = {13, 14},
     .filter   = {2, 3},
     .stride   = {3, 2},
     .dilation = {2, 4},
     .pad      = {2, 1, 5, 4}}};
  std::size_t const outside = all.size();
  for (std::size_t i = 0; i < outside; ++i) {
    all.push_back(all[i]);
    all.back().data_layout = layout::nhwc;
  }
  return all;
}

template <typename A, typename B>
[[nodiscard]] double dot(std::vector<A> const& a, std::vector<B> const& b)
{
  REQUIRE(a.size() == b.size());
  REQUIRE(!a.empty());
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += dwconv_reference::to_double(a[i]) * dwconv_reference::to_double(b[i]);
  }
  return sum;
}

template <typename T>
[[nodiscard]] forward_case<T> forward_of(gradient_case<T> const& c)
{
  return {c.problem, c.x, c.filter};
}

/// Half the square of y, whose gradient by y is y itself.
[[nodiscard]] double loss_of(gradient_case<double> const& c)
{
  auto const y = output_of(forward_of(c));
  return dot(y, y) / 2;
}

/// What a small change of each `stride`-th element of `values`, both ways, makes of the loss; exact
/// but for rounding, since the loss is quadratic.
[[nodiscard]] double worst_difference(gradient_case<double>& c, std::vector<double>& values,
                                      std::vector<double> const& gradient, std::size_t stride)
{
  REQUIRE(values.size() == gradient.size());
  constexpr double step = 1.0 / 64;
  double worst          = 0;
  for (std::size_t i = 0; i < values.size(); i += stride) {
    double const before = values[i];
    values[i]           = before + step;
    double const above  = loss_of(c);
    values[i]           = before - step;
    double const below  = loss_of(c);
    values[i]           = before;
    worst               = std::max(worst, std::fabs((above - below) / (2 * step) - gradient[i]));
  }
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("both gradients are adjoint to the convolution", "[adjoints]", float, double,
                   __half, __nv_bfloat16)
{
  for (conv2d_problem const& p : problems()) {
    CAPTURE(describe(p));
    auto const c          = integer_gradients<TestType>(p, 21);
    double const expected = dot(output_of(forward_of(c)), c.dy);
    auto const dx         = run_data(c);
    auto const dfilter    = run_filter<TestType, float>(c);
    auto const dbias      = run_bias<TestType, float>(c);
    REQUIRE(dx.fine());
    REQUIRE(dfilter.fine());
    REQUIRE(dbias.fine());
    CHECK(dot(dx.gradient, c.x) == expected);
    CHECK(dot(dfilter.gradient, c.filter) == expected);
    std::vector<TestType> const ones(c.dy.size(), TestType(1.0f));
    std::vector<float> const one_each(dbias.gradient.size(), 1.0f);
    CHECK(dot(dbias.gradient, one_each) == dot(c.dy, ones));
  }
}

TEST_CASE("gradients agree with finite differences", "[adjoints]")
{
  for (conv2d_problem const& p : problems()) {
    CAPTURE(describe(p));
    auto c             = real_gradients<double>(p, 22);
    c.dy               = output_of(forward_of(c));
    auto const dx      = run_data(c).gradient;
    auto const dfilter = run_filter(c).gradient;
    double const largest =
      std::fabs(*std::max_element(dfilter.begin(), dfilter.end(),
                                  [](double a, double b) { return std::fabs(a) < std::fabs(b); }));
    CHECK(worst_difference(c, c.x, dx, 7) < 1e-9 * largest);
    CHECK(worst_difference(c, c.filter, dfilter, 1) < 1e-9 * largest);
  }
}

TEST_CASE("gradients of the batch are those of its images", "[adjoints]")
{
  for (conv2d_problem const& p : problems()) {
    if (p.batch != 2) { continue; }
    CAPTURE(describe(p));
    auto const both       = integer_gradients<float>(p, 23);
    conv2d_problem single = p;
    single.batch          = 1;
    auto const half_of    = [&](std::vector<float> const& v, int which) {
      auto const middle = v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2);
      return which == 0 ? std::vector<float>(v.begin(), middle)
                           : std::vector<float>(middle, v.end());
    };
    std::vector<float> dx, dfilter(both.filter.size());
    for (int image : {0, 1}) {
      gradient_case<float> const one{single, half_of(both.x, image), half_of(both.dy, image),
                                     both.filter};
      auto const part = run_data(one).gradient;
      dx.insert(dx.end(), part.begin(), part.end());
      auto const sums = run_filter(one).gradient;
      for (std::size_t i = 0; i < sums.size(); ++i) { dfilter[i] += sums[i]; }
    }
    CHECK(run_data(both).gradient == dx);
    CHECK(run_filter(both).gradient == dfilter);
  }
}
