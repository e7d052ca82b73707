// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "forward/launch_watch.hpp"
#include "forward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::forward_tensors;
using dwconv::layout;
using dwconv::status;
using dwconv::status_code;

namespace {

// x 2x2x4x5 is 80 elements, the filter 18, y 2x2x2x3 is 24.
constexpr conv2d_problem problem{.batch = 2, .channels = 2, .input = {4, 5}, .filter = {3, 3}};

float* past(float const* pointer, std::uintptr_t bytes)
{
  return reinterpret_cast<float*>(reinterpret_cast<std::uintptr_t>(pointer) + bytes);
}

/// Calls with pointers changed in one way; nothing may be launched or written.
status refused(std::function<void(forward_tensors<float>&)> const& change)
{
  device_buffer<float> memory{std::size_t{1024}, poison{}};
  forward_tensors<float> tensors{memory.data(), memory.data() + 256, memory.data() + 512};
  change(tensors);
  launch_watch const watch;
  status const outcome = dwconv::forward<float>(problem, tensors, test_stream());
  CHECK(synchronize() == cudaSuccess);
  CHECK(watch.saw_none());
  CHECK(aftermath<float>{outcome, cudaSuccess, memory.read(), true}.y_untouched());
  return outcome;
}

status with_code(status_code code, char const* argument, std::int64_t value = 0,
                 std::int64_t limit = 0)
{
  return {.code = code, .argument = argument, .value = value, .limit = limit};
}

}  // namespace

TEMPLATE_TEST_CASE("tensors may start at any element", "[pointers]", float, double, __half,
                   __nv_bfloat16)
{
  for (layout const order : {layout::nchw, layout::nhwc}) {
    conv2d_problem const p{.batch       = 2,
                           .channels    = 5,
                           .input       = {6, 7},
                           .filter      = {3, 3},
                           .pad         = {1, 1, 1, 1},
                           .data_layout = order};
    for (std::size_t const misalign : {1, 2, 3, 7}) {
      CHECK(agrees(integer_case<TestType>(p), tolerance::none, run_time_door{}, misalign));
    }
  }
}

TEST_CASE("a null pointer is refused by name", "[pointers]")
{
  CHECK(refused([](auto& t) { t.x = nullptr; }) == with_code(status_code::null_pointer, "x"));
  CHECK(refused([](auto& t) { t.filter = nullptr; }) ==
        with_code(status_code::null_pointer, "filter"));
  CHECK(refused([](auto& t) { t.y = nullptr; }) == with_code(status_code::null_pointer, "y"));
}

TEST_CASE("a pointer between two elements is refused by name", "[pointers]")
{
  CHECK(refused([](auto& t) { t.x = past(t.x, 1); }) ==
        with_code(status_code::misaligned_pointer, "x", 1, 4));
  CHECK(refused([](auto& t) { t.filter = past(t.filter, 2); }) ==
        with_code(status_code::misaligned_pointer, "filter", 2, 4));
  CHECK(refused([](auto& t) { t.y = past(t.y, 3); }) ==
        with_code(status_code::misaligned_pointer, "y", 3, 4));
}

TEST_CASE("an output on top of x or the filter is refused", "[pointers]")
{
  auto const on = [](char const* name, std::int64_t bytes) {
    return with_code(status_code::overlapping_tensors, name, bytes);
  };
  CHECK(refused([](auto& t) { t.x = t.y; }) == on("x", 96));
  CHECK(refused([](auto& t) { t.x = t.y + 23; }) == on("x", 4));
  CHECK(refused([](auto& t) { t.x = t.y - 79; }) == on("x", 4));
  CHECK(refused([](auto& t) { t.filter = t.y + 1; }) == on("filter", 72));
  CHECK(refused([](auto& t) { t.filter = t.y - 17; }) == on("filter", 4));
}

TEST_CASE("tensors that touch without sharing a byte are fine", "[pointers]")
{
  auto const c = integer_case<float>(problem);
  std::vector<float> packed(c.x);
  packed.insert(packed.end(), 24, 0.0f);
  packed.insert(packed.end(), c.filter.begin(), c.filter.end());
  device_buffer<float> memory{packed};
  float* const start = memory.data();
  REQUIRE(dwconv::forward<float>(problem, {start, start + 104, start + 80}, test_stream()).ok());
  REQUIRE(synchronize() == cudaSuccess);
  std::vector<float> const after = memory.read();
  CHECK(compare(c, after.data() + 80, tolerance::none));
  CHECK(std::equal(c.x.begin(), c.x.end(), after.begin()));
  CHECK(std::equal(c.filter.begin(), c.filter.end(), after.begin() + 104));
}

TEST_CASE("an invalid problem is refused before its pointers are looked at", "[pointers]")
{
  conv2d_problem wrong = problem;
  wrong.stride.width   = 0;
  CHECK(dwconv::forward<float>(wrong, {}, test_stream()) ==
        with_code(status_code::too_small, "stride.width", 0, 1));
}
