// SPDX-License-Identifier: Apache-2.0
// The door for a filter and stride known at compile time.
#include "forward/launch_watch.hpp"
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::layout;
using dwconv::status;
using dwconv::status_code;
using dwconv::stride;
using dwconv::taps;

namespace {

template <typename Taps, typename Stride>
struct door_for {
  template <typename T>
  [[nodiscard]] status operator()(conv2d_problem const& problem,
                                  dwconv::forward_tensors<T> const& tensors,
                                  cudaStream_t stream) const
  {
    return dwconv::forward<T, Taps, Stride>(problem, tensors, stream);
  }
};

[[nodiscard]] dwconv::extent2 any_as(dwconv::extent2 compiled, dwconv::extent2 otherwise)
{
  return compiled == dwconv::extent2{0, 0} ? otherwise : compiled;
}

/// Problems with this filter and stride; borders on both sides, dilation, multiplier.
template <typename Taps, typename Stride>
std::vector<conv2d_problem> problems_for()
{
  std::vector<conv2d_problem> problems;
  for (layout const order : {layout::nchw, layout::nhwc}) {
    for (std::int64_t const size : {1, 6, 9, 14}) {
      for (std::int64_t const dilation : {1, 2}) {
        std::int64_t const pad = size == 14 ? 0 : 6;
        conv2d_problem const p{.batch       = 2,
                               .channels    = 3,
                               .multiplier  = size == 6 ? 2 : 1,
                               .input       = {size, size + 2},
                               .filter      = any_as(Taps::extent, {3, 4}),
                               .stride      = any_as(Stride::extent, {3, 2}),
                               .dilation    = {dilation, 3 - dilation},
                               .pad         = {pad, pad, pad, pad + 1},
                               .data_layout = order};
        if (dwconv::validate(p).ok()) { problems.push_back(p); }
      }
    }
  }
  return problems;
}

template <typename T, typename Taps, typename Stride>
void check_against_run_time_door()
{
  door_for<Taps, Stride> const door;
  int compared = 0;
  for (conv2d_problem const& problem : problems_for<Taps, Stride>()) {
    auto const c = real_case<T>(problem, 41);
    CHECK(agrees(c, tolerance::bound, door));
    CHECK(agrees(integer_case<T>(problem, 42), tolerance::none, door));
    // A window that slides along a stride adds the taps of a row in another order.
    auto const plan = dwconv::make_forward_plan<T>(problem, 0);
    bool const by_lattices =
      plan.compiled.slides && dwconv::runtime_window_row{problem, 16}.lattices > 1;
    CHECK(agrees(c, tolerance::bound));
    CHECK((by_lattices || same_bits(output_of(c, door), output_of(c))));
    ++compared;
  }
  CHECK(compared >= 12);
}

}  // namespace

TEMPLATE_TEST_CASE("the static door gives the same bits as the run-time door", "[static_door]",
                   float, __half)
{
  check_against_run_time_door<TestType, taps<3, 3>, stride<1, 1>>();
  check_against_run_time_door<TestType, taps<5, 2>, stride<2, 3>>();
  check_against_run_time_door<TestType, dwconv::any_taps, stride<1, 2>>();
  check_against_run_time_door<TestType, taps<1, 4>, dwconv::any_stride>();
}

TEST_CASE("a problem with another filter or stride is a mismatch that names the axis",
          "[static_door]")
{
  conv2d_problem const problem{
    .batch = 1, .channels = 1, .input = {8, 8}, .filter = {3, 2}, .stride = {1, 2}};
  auto const refused = [&](auto const& door, char const* argument, std::int64_t value,
                           std::int64_t limit) {
    launch_watch const watch;
    aftermath<float> const a = run_case(integer_case<float>(problem), door);
    return watch.saw_none() && a.y_untouched() && a.only_y_written &&
           a.outcome ==
             status{
               .code = status_code::mismatch, .argument = argument, .value = value, .limit = limit};
  };
  CHECK(refused(door_for<taps<5, 2>, stride<1, 2>>{}, "filter.height", 3, 5));
  CHECK(refused(door_for<taps<3, 3>, stride<1, 2>>{}, "filter.width", 2, 3));
  CHECK(refused(door_for<taps<3, 2>, stride<2, 2>>{}, "stride.height", 1, 2));
  CHECK(refused(door_for<taps<3, 2>, stride<1, 1>>{}, "stride.width", 2, 1));
}

TEST_CASE("of several compiled instances the first that fits is run", "[static_door]")
{
  using list = dwconv::instance_list<dwconv::direct_instance<taps<5, 2>, stride<2, 3>>,
                                     dwconv::direct_instance<taps<3, 3>, stride<1, 1>>>;
  conv2d_problem const problem{
    .batch = 1, .channels = 2, .input = {7, 7}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};
  auto const plan = dwconv::make_forward_plan<float, list>(problem, dwconv::h200_facts);
  REQUIRE(plan.outcome.ok());
  CHECK(plan.compiled == list::shapes[1]);
  auto const door = [&](auto const&, dwconv::forward_tensors<float> const& tensors,
                        cudaStream_t stream) {
    return dwconv::run<float, list>(plan, tensors, stream);
  };
  CHECK(agrees(integer_case<float>(problem), tolerance::none, door));
}
