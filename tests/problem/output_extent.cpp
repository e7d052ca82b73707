// SPDX-License-Identifier: Apache-2.0
#include <dwconv/problem/output_extent.hpp>
#include <dwconv/problem/validate.hpp>

#include "reference/conv2d.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::output_extent;

// Usable in constant expressions; dilation counts, and what a stride leaves over is dropped.
static_assert(output_extent({.batch = 1, .channels = 1, .input = {5, 6}, .filter = {1, 1}}) ==
              extent2{5, 6});
static_assert(output_extent({.batch    = 1,
                             .channels = 1,
                             .input    = {6, 224},
                             .filter   = {3, 3},
                             .stride   = {2, 2},
                             .pad      = {1, 1, 1, 1}}) == extent2{3, 112});
static_assert(dwconv::filter_span(3, 4) == 9);

namespace {

struct axis {
  std::int64_t input, taps, stride, dilation, before, after;
};

/// Sets the window down on a padded line, step by step, for as long as it stays on it.
std::int64_t places_counted(axis const& a)
{
  std::int64_t places = 0;
  for (std::int64_t start = 0;; start += a.stride) {
    std::int64_t last = start;
    for (std::int64_t t = 1; t < a.taps; ++t) { last += a.dilation; }
    if (last >= a.before + a.input + a.after) { return places; }
    ++places;
  }
}

template <class Visit>
void for_each_axis(Visit const& visit)
{
  for (std::int64_t input = 1; input <= 9; ++input) {
    for (std::int64_t taps = 1; taps <= 5; ++taps) {
      for (std::int64_t stride = 1; stride <= 4; ++stride) {
        for (std::int64_t dilation = 1; dilation <= 3; ++dilation) {
          for (std::int64_t before = 0; before <= 5; ++before) {
            for (std::int64_t after = 0; after <= 5; ++after) {
              visit(axis{input, taps, stride, dilation, before, after});
            }
          }
        }
      }
    }
  }
}

conv2d_problem along_height(axis const& a)
{
  return {.batch    = 1,
          .channels = 1,
          .input    = {a.input, 4},
          .filter   = {a.taps, 3},
          .stride   = {a.stride, 1},
          .dilation = {a.dilation, 1},
          .pad      = {.top = a.before, .bottom = a.after}};
}

conv2d_problem along_width(axis const& a)
{
  return {.batch    = 1,
          .channels = 1,
          .input    = {4, a.input},
          .filter   = {3, a.taps},
          .stride   = {1, a.stride},
          .dilation = {1, a.dilation},
          .pad      = {.left = a.before, .right = a.after}};
}

}  // namespace

TEST_CASE("the output has as many rows and columns as places for the window", "[output_extent]")
{
  int wrong = 0;
  for_each_axis([&](axis const& a) {
    std::int64_t const places = places_counted(a);
    if (places == 0) { return; }
    wrong += output_extent(along_height(a)) != extent2{places, 2};
    wrong += output_extent(along_width(a)) != extent2{2, places};
  });
  CHECK(wrong == 0);
}

TEST_CASE("a problem is valid exactly where the window has a place", "[output_extent]")
{
  int wrong = 0;
  for_each_axis([&](axis const& a) {
    bool const fits = places_counted(a) > 0;
    wrong += dwconv::validate(along_height(a)).ok() != fits;
    wrong += dwconv::validate(along_width(a)).ok() != fits;
  });
  CHECK(wrong == 0);
}

TEST_CASE("the reference finds the same output shape by its own arithmetic", "[output_extent]")
{
  int wrong = 0;
  for_each_axis([&](axis const& a) {
    extent2 const rows    = dwconv_reference::output_shape(along_height(a));
    extent2 const columns = dwconv_reference::output_shape(along_width(a));
    wrong += rows.height != places_counted(a) || columns.width != places_counted(a);
  });
  CHECK(wrong == 0);
}
