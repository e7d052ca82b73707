// SPDX-License-Identifier: Apache-2.0
// Relations between outputs that hold whatever the reference says; exact on integers.
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;
using dwconv_reference::offset_of;

namespace {

conv2d_problem problem_in(layout order)
{
  return {.batch       = 2,
          .channels    = 4,
          .input       = {11, 13},
          .filter      = {3, 5},
          .dilation    = {2, 1},
          .pad         = {2, 2, 2, 2},
          .data_layout = order};
}

std::vector<float> combined(std::vector<float> const& a, float factor, std::vector<float> const& b)
{
  std::vector<float> sum(a);
  for (std::size_t i = 0; i < sum.size(); ++i) { sum[i] = a[i] + factor * b[i]; }
  return sum;
}

/// The tensor whose element (n, c, i, j) is `from`'s (n, c', i', j') as `move` says; zero outside.
template <typename Move>
std::vector<float> moved(conv2d_problem const& p, std::vector<float> const& from, Move const& move)
{
  std::vector<float> to(from.size());
  auto const at = [&](std::int64_t n, std::int64_t c, std::int64_t i, std::int64_t j) {
    return offset_of(p.data_layout, p.channels, p.input, n, c, i, j);
  };
  for (std::int64_t n = 0; n < p.batch; ++n) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      for (std::int64_t i = 0; i < p.input.height; ++i) {
        for (std::int64_t j = 0; j < p.input.width; ++j) {
          auto [source_c, source_i, source_j] = move(c, i, j);
          bool const inside =
            source_i >= 0 && source_i < p.input.height && source_j >= 0 && source_j < p.input.width;
          to[at(n, c, i, j)] = inside ? from[at(n, source_c, source_i, source_j)] : 0.0f;
        }
      }
    }
  }
  return to;
}

struct source {
  std::int64_t c, i, j;
};

}  // namespace

TEST_CASE("the output is linear in x and in the filter", "[metamorphic]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const p = problem_in(order);
    auto const one = integer_case<float>(p, 1), other = integer_case<float>(p, 2);
    forward_case<float> const sum_x{p, combined(one.x, 2, other.x), one.filter};
    forward_case<float> const other_x{p, other.x, one.filter};
    CHECK(output_of(sum_x) == combined(output_of(one), 2, output_of(other_x)));
    forward_case<float> const sum_filter{p, one.x, combined(one.filter, 3, other.filter)};
    forward_case<float> const other_filter{p, one.x, other.filter};
    CHECK(output_of(sum_filter) == combined(output_of(one), 3, output_of(other_filter)));
    CHECK(output_of(one).size() == y_size(p));
  }
}

TEST_CASE("a filter that is one in its middle gives x back", "[metamorphic]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto c = integer_case<float>(problem_in(order));
    for (std::size_t i = 0; i < c.filter.size(); ++i) { c.filter[i] = i % 15 == 7 ? 1.0f : 0.0f; }
    CHECK(output_of(c) == c.x);
  }
}

TEST_CASE("a filter that is one elsewhere shifts x: the filter is not flipped", "[metamorphic]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto c = integer_case<float>(problem_in(order));
    // Tap (2, 1) reads two rows below (dilation 2) and one column to the left of the output.
    for (std::size_t i = 0; i < c.filter.size(); ++i) { c.filter[i] = i % 15 == 11 ? 1.0f : 0.0f; }
    CHECK(output_of(c) == moved(c.problem, c.x, [](auto channel, auto i, auto j) {
            return source{channel, i + 2, j - 1};
          }));
  }
}

TEST_CASE("permuted channels of x and filter give permuted channels of y", "[metamorphic]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const c    = integer_case<float>(problem_in(order));
    auto const next = [](auto channel, auto i, auto j) { return source{(channel + 1) % 4, i, j}; };
    forward_case<float> turned{c.problem, moved(c.problem, c.x, next), c.filter};
    std::rotate(turned.filter.begin(), turned.filter.begin() + 15, turned.filter.end());
    CHECK(output_of(turned) == moved(c.problem, output_of(c), next));  // y is shaped as x
  }
}

TEST_CASE("images of a batch do not see each other", "[metamorphic]")
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    auto const both       = integer_case<float>(problem_in(order));
    conv2d_problem single = both.problem;
    single.batch          = 1;
    auto const middle     = both.x.begin() + static_cast<std::ptrdiff_t>(x_size(single));
    auto const first =
      output_of(forward_case<float>{single, {both.x.begin(), middle}, both.filter});
    std::vector<float> joint = first;
    auto const second = output_of(forward_case<float>{single, {middle, both.x.end()}, both.filter});
    joint.insert(joint.end(), second.begin(), second.end());
    CHECK(output_of(both) == joint);
  }
}

TEST_CASE("both layouts compute the same", "[metamorphic]")
{
  auto const outside = integer_case<float>(problem_in(layout::nchw));
  auto inside        = outside;
  inside.problem     = problem_in(layout::nhwc);
  auto const reorder = [&](std::vector<float> const& nchw) {  // x and y have one shape
    std::vector<float> nhwc(nchw.size());
    conv2d_problem const& p = outside.problem;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(nchw.size()); ++i) {
      std::int64_t const j = i % 13, row = i / 13 % 11, channel = i / 143 % 4, n = i / 572;
      nhwc[offset_of(layout::nhwc, 4, p.input, n, channel, row, j)] =
        nchw[static_cast<std::size_t>(i)];
    }
    return nhwc;
  };
  inside.x = reorder(outside.x);
  CHECK(output_of(inside) == reorder(output_of(outside)));
}
