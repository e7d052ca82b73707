// SPDX-License-Identifier: Apache-2.0
// The window family where tensors start anywhere and padding is uneven, wide or all there is.
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;

TEST_CASE("tensors that start at any element, each on its own", "[window_borders]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::size_t x = 0; x < 8; ++x) {
    for (std::size_t y = 0; y < 8; ++y, ++next) {
      misalignment const misalign{x, (x * 3 + y * 5) % 8, y};
      auto const& shape = shapes[next % shapes.size()];
      // Widths of every remainder modulo a copy of 16 bytes, for x and for y.
      auto const odd = static_cast<std::int64_t>(next % 8);
      CHECK(same_as_direct<__half>(
        problem_with_output(shape, {3, 9 + odd}, {1, 1, 1, 1}, {.batch = 3, .channels = 7}),
        misalign));
      CHECK(same_as_direct<float>(problem_with_output(shape, {19, 40 + odd}), misalign));
      CHECK(same_as_direct(next / 3, problem_with_output(shape, {3, 641 + odd}, {1, 1, 2, 1}),
                           misalign));
    }
  }
}

TEST_CASE("four paddings of 0 to 4, each on its own", "[window_borders]")
{
  auto const shapes = window_shapes();
  dice random{5};
  std::size_t next = 0, tried = 0;
  for (int code = 0; code < 5 * 5 * 5 * 5; ++code, ++next) {
    conv2d_problem p{.batch    = 1,
                     .channels = 2,
                     .input    = {random.between(1, 6), random.between(1, 9)},
                     .filter   = shapes[next % shapes.size()].taps,
                     .stride   = shapes[next % shapes.size()].stride,
                     .pad      = {code % 5, code / 5 % 5, code / 25 % 5, code / 125}};
    if (!dwconv::validate(p).ok()) { continue; }
    CHECK(same_as_direct(next / 3, p));
    ++tried;
  }
  CHECK(tried > 400);
}

TEST_CASE("padding wider than the filter, up to what is staged around a row", "[window_borders]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t const left : {0, 9, 63, 64}) {
    for (std::int64_t const right : {0, 10, 64}) {
      for (std::int64_t const width : {1, 2, 33, 600}) {
        conv2d_problem p{.batch    = 2,
                         .channels = 3,
                         .input    = {4, width},
                         .filter   = shapes[next % shapes.size()].taps,
                         .stride   = shapes[next % shapes.size()].stride,
                         .pad      = {3, 3, left, right}};
        if (dwconv::validate(p).ok()) { CHECK(same_as_direct(next / 2, p)); }
        ++next;
      }
    }
  }
  conv2d_problem const wider{
    .batch = 1, .channels = 1, .input = {4, 4}, .filter = {3, 3}, .pad = {0, 0, 65, 0}};
  CHECK(dwconv::make_forward_plan<float>(wider, 0).compiled.slides);
  CHECK(agrees(integer_case<float>(wider), tolerance::none));
}

TEST_CASE("tiles that see nothing but padding above or below the image", "[window_borders]")
{
  auto const shapes = window_shapes();
  std::size_t next  = 0;
  for (std::int64_t const above : {0, 40, 200}) {
    for (std::int64_t const below : {0, 40, 200}) {
      for (std::int64_t const width : {1, 5, 130, 650}) {
        conv2d_problem const p{.batch    = 2,
                               .channels = width < 100 ? 5 : 1,
                               .input    = {3, width},
                               .filter   = shapes[next % shapes.size()].taps,
                               .stride   = shapes[next % shapes.size()].stride,
                               .pad      = {above + 2, below + 2, 3, 3}};
        CHECK(same_as_direct(next / 2, p));
        ++next;
      }
    }
  }
}

TEST_CASE("the last window of columns may see nothing but padding", "[window_borders]")
{
  for (auto const& shape : window_shapes()) {
    // Windows of 10 columns: the first five or so, and the last, see nothing but padding.
    for (std::int64_t const width : {9, 40, 51}) {
      conv2d_problem const p{.batch    = 1,
                             .channels = 2,
                             .input    = {19, width},
                             .filter   = shape.taps,
                             .stride   = shape.stride,
                             .pad      = {1, 1, 64, 64}};
      for (int const steps : {0, 1}) {
        CHECK(same_as_direct(0, p, forced_tile{{1, 9, 10, steps}}, 1));
        CHECK(same_as_direct(1, p, forced_tile{{1, 9, 10, steps}}, 2));
        CHECK(same_as_direct(2, p, forced_tile{{1, 9, 7, steps}}));
      }
    }
    // As planned, where windows are wide, the last thread of the last window has to do.
    CHECK(same_as_direct<__half>(problem_with_output(shape, {2, 1345}, {0, 0, 64, 64})));
  }
}

TEST_CASE("a NaN or infinity in x reaches the outputs that it reaches directly", "[window_borders]")
{
  conv2d_problem const p{
    .batch = 2, .channels = 2, .input = {9, 11}, .filter = {5, 5}, .pad = {2, 2, 2, 2}};
  for (float const value : {NAN, INFINITY, -INFINITY}) {
    for (std::size_t at = 0; at < 4 * 99; at += 5) {
      forward_case<float> c = integer_case<float>(p);
      for (float& w : c.filter) { w = w == 0 ? 1 : w; }
      c.x[at]           = value;
      auto const window = output_of(c, family_door{dwconv::kernel_family::window});
      auto const direct = output_of(c, family_door{dwconv::kernel_family::direct});
      int wrong         = window.size() == direct.size() ? 0 : 1;
      for (std::size_t i = 0; i < direct.size() && wrong == 0; ++i) {
        bool const both_nan = std::isnan(window[i]) && std::isnan(direct[i]);
        wrong += !both_nan && window[i] != direct[i];
      }
      CHECK(wrong == 0);
    }
  }
}
