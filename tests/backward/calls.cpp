// SPDX-License-Identifier: Apache-2.0
// What a call may be asked and what it refuses: pointers, workspaces, plans, options, empty
// batches.
#include <functional>

#include "backward/scenario.hpp"
#include "forward/launch_watch.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::status;
using dwconv::status_code;
using dwconv::update;
using dwconv::workspace;

namespace {

// x and y have 40 and 24 elements, the filter 18, a bias 2.
constexpr conv2d_problem problem{.batch = 1, .channels = 2, .input = {4, 5}, .filter = {3, 3}};

status with_code(status_code code, char const* argument, std::int64_t value = 0,
                 std::int64_t limit = 0)
{
  return {.code = code, .argument = argument, .value = value, .limit = limit};
}

template <typename T>
T* past(T const* pointer, std::uintptr_t bytes)
{
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(pointer) + bytes);
}

/// Everything a call of backward_filter, or of backward_bias, is given.
struct call {
  dwconv::backward_filter_tensors<float> filter;
  dwconv::backward_bias_tensors<float> bias;
  dwconv::backward_data_tensors<float> data;
  workspace scratch;
  update how = update::overwrite;
};

/// Calls one door with one thing changed; nothing may be launched or written.
status refused(char const* door, std::function<void(call&)> const& change)
{
  device_buffer<float> memory{std::size_t{1024}, poison{}};
  float* const at = memory.data();
  call c{.filter  = {at, at + 128, at + 256},
         .bias    = {at + 128, at + 256},
         .data    = {at + 128, at + 384, at},
         .scratch = {at + 512, 512 * sizeof(float)}};
  change(c);
  launch_watch const watch;
  std::string const which = door;
  status const outcome =
    which == "filter"
      ? dwconv::backward_filter<float>(problem, c.filter, c.scratch, test_stream(), c.how)
    : which == "bias"
      ? dwconv::backward_bias<float>(problem, c.bias, c.scratch, test_stream(), c.how)
      : dwconv::backward_data<float>(problem, c.data, test_stream());
  CHECK(synchronize() == cudaSuccess);
  CHECK(watch.saw_none());
  CHECK(gradient_aftermath<float>{outcome, cudaSuccess, memory.read(), true}.untouched());
  return outcome;
}

}  // namespace

TEST_CASE("null pointers of gradients are refused by name", "[backward_calls]")
{
  auto const null = [](char const* name) { return with_code(status_code::null_pointer, name); };
  CHECK(refused("data", [](call& c) { c.data.dy = nullptr; }) == null("dy"));
  CHECK(refused("data", [](call& c) { c.data.filter = nullptr; }) == null("filter"));
  CHECK(refused("data", [](call& c) { c.data.dx = nullptr; }) == null("dx"));
  CHECK(refused("filter", [](call& c) { c.filter.x = nullptr; }) == null("x"));
  CHECK(refused("filter", [](call& c) { c.filter.dy = nullptr; }) == null("dy"));
  CHECK(refused("filter", [](call& c) { c.filter.dfilter = nullptr; }) == null("dfilter"));
  CHECK(refused("filter", [](call& c) { c.scratch.data = nullptr; }) == null("workspace"));
  CHECK(refused("bias", [](call& c) { c.bias.dy = nullptr; }) == null("dy"));
  CHECK(refused("bias", [](call& c) { c.bias.dbias = nullptr; }) == null("dbias"));
  CHECK(refused("bias", [](call& c) { c.scratch.data = nullptr; }) == null("workspace"));
}

TEST_CASE("misaligned pointers of gradients are refused by name", "[backward_calls]")
{
  auto const off = [](char const* name, std::int64_t by) {
    return with_code(status_code::misaligned_pointer, name, by, 4);
  };
  CHECK(refused("data", [](call& c) { c.data.dy = past(c.data.dy, 1); }) == off("dy", 1));
  CHECK(refused("data", [](call& c) { c.data.filter = past(c.data.filter, 2); }) ==
        off("filter", 2));
  CHECK(refused("data", [](call& c) { c.data.dx = past(c.data.dx, 3); }) == off("dx", 3));
  CHECK(refused("filter", [](call& c) { c.filter.x = past(c.filter.x, 1); }) == off("x", 1));
  CHECK(refused("filter", [](call& c) { c.filter.dy = past(c.filter.dy, 2); }) == off("dy", 2));
  CHECK(refused("filter", [](call& c) { c.filter.dfilter = past(c.filter.dfilter, 3); }) ==
        off("dfilter", 3));
  CHECK(refused("filter", [](call& c) { c.scratch.data = past(c.filter.dy, 2); }) ==
        off("workspace", 2));
  CHECK(refused("bias", [](call& c) { c.bias.dbias = past(c.bias.dbias, 2); }) == off("dbias", 2));
}

TEST_CASE("gradients on top of what is read are refused", "[backward_calls]")
{
  auto const on = [](char const* name, std::int64_t bytes) {
    return with_code(status_code::overlapping_tensors, name, bytes);
  };
  CHECK(refused("data", [](call& c) {
          c.data.dx = c.data.dy == nullptr ? nullptr : past(c.data.dy, 44);
        }) == on("dy", 4));
  CHECK(refused("data", [](call& c) { c.data.dx = past(c.data.filter, 0); }) == on("filter", 72));
  CHECK(refused("filter", [](call& c) { c.filter.dfilter = past(c.filter.x, 156); }) == on("x", 4));
  CHECK(refused("filter", [](call& c) { c.filter.dfilter = past(c.filter.dy, 0); }) ==
        on("dy", 48));
  CHECK(refused("filter", [](call& c) { c.scratch.data = c.filter.dfilter; }) ==
        on("workspace", 72));
  CHECK(refused("filter", [](call& c) { c.scratch.data = past(c.filter.x, 156); }) ==
        on("workspace", 4));
  CHECK(refused("filter", [](call& c) { c.scratch.data = past(c.filter.dy, 44); }) ==
        on("workspace", 4));
  CHECK(refused("bias", [](call& c) { c.bias.dbias = past(c.bias.dy, 44); }) == on("dy", 4));
  CHECK(refused("bias", [](call& c) { c.scratch.data = c.bias.dbias; }) == on("workspace", 8));
  CHECK(refused("bias", [](call& c) { c.scratch.data = past(c.bias.dy, 44); }) ==
        on("workspace", 4));
}

TEST_CASE("a workspace too small is refused with both numbers", "[backward_calls]")
{
  auto const of_filter = dwconv::make_backward_filter_plan<float>(problem, 0);
  auto const of_bias   = dwconv::make_backward_bias_plan<float>(problem, 0);
  REQUIRE(workspace_bytes(of_filter) == split_count(of_filter) * 72);
  REQUIRE(workspace_bytes(of_bias) == of_bias.direct.split.splits * 8);
  auto const small = [](std::int64_t is, std::int64_t least) {
    return with_code(status_code::too_small, "workspace.bytes", is, least);
  };
  CHECK(refused("filter", [&](call& c) { c.scratch.bytes = workspace_bytes(of_filter) - 1; }) ==
        small(workspace_bytes(of_filter) - 1, workspace_bytes(of_filter)));
  CHECK(refused("filter", [&](call& c) { c.scratch = {}; }) ==
        small(0, workspace_bytes(of_filter)));
  CHECK(refused("bias", [&](call& c) { c.scratch.bytes = INT64_MIN; }) ==
        small(INT64_MIN, workspace_bytes(of_bias)));
  CHECK(small(5, 72).message() == "workspace.bytes is 5, must be at least 72");
}

TEST_CASE("an update that is none is refused", "[backward_calls]")
{
  auto const unknown = with_code(status_code::unknown_value, "update", 7, 1);
  CHECK(refused("filter", [](call& c) { c.how = static_cast<update>(7); }) == unknown);
  CHECK(refused("bias", [](call& c) { c.how = static_cast<update>(7); }) == unknown);
}

TEST_CASE("gradients of an invalid problem are refused before anything else", "[backward_calls]")
{
  conv2d_problem wrong = problem;
  wrong.dilation       = {9, 1};
  status const invalid = dwconv::validate(wrong);
  REQUIRE_FALSE(invalid.ok());
  launch_watch const watch;
  CHECK(dwconv::backward_data<float>(wrong, {}, test_stream()) == invalid);
  CHECK(dwconv::backward_filter<float>(wrong, {}, {}, test_stream()) == invalid);
  CHECK(dwconv::backward_bias<float>(wrong, {}, {}, test_stream()) == invalid);
  CHECK(dwconv::make_backward_data_plan<float>(wrong, -1).outcome == invalid);
  CHECK(dwconv::make_backward_filter_plan<float>(wrong, -1).outcome == invalid);
  CHECK(dwconv::make_backward_bias_plan<float>(wrong, -1).outcome == invalid);
  CHECK(workspace_bytes(dwconv::make_backward_filter_plan<float>(wrong, 0)) == 0);
  CHECK(dwconv::run<float>(dwconv::make_backward_filter_plan<float>(wrong, 0),
                           dwconv::backward_filter_tensors<float>{}, {}, test_stream()) == invalid);
  CHECK(watch.saw_none());
}

TEST_CASE("a plan of gradients for another element type is a mismatch", "[backward_calls]")
{
  status const mismatch = with_code(status_code::mismatch, "dtype of the tensors",
                                    static_cast<std::int64_t>(dwconv::dtype::float32),
                                    static_cast<std::int64_t>(dwconv::dtype::float64));
  launch_watch const watch;
  CHECK(dwconv::run<float>(dwconv::make_backward_data_plan<double>(problem, 0),
                           dwconv::backward_data_tensors<float>{}, test_stream()) == mismatch);
  CHECK(dwconv::run<float>(dwconv::make_backward_filter_plan<double>(problem, 0),
                           dwconv::backward_filter_tensors<float>{}, {},
                           test_stream()) == mismatch);
  CHECK(dwconv::run<float>(dwconv::make_backward_bias_plan<double>(problem, 0),
                           dwconv::backward_bias_tensors<float>{}, {}, test_stream()) == mismatch);
  CHECK(watch.saw_none());
}

TEST_CASE("the static door takes its filter and stride alone", "[backward_calls]")
{
  using taps      = dwconv::taps<3, 3>;
  using stride    = dwconv::stride<1, 1>;
  auto const door = [](conv2d_problem const& p, auto const& tensors, cudaStream_t stream) {
    return dwconv::backward_data<float, taps, stride>(p, tensors, stream);
  };
  CHECK(data_agrees(integer_gradients<float>(problem), tolerance::none, door));
  conv2d_problem several = problem;
  several.multiplier     = 2;  // the direct family's
  CHECK(data_agrees(integer_gradients<float>(several), tolerance::none, door));
  conv2d_problem wider = problem;
  wider.filter         = {3, 5};
  launch_watch const watch;
  CHECK(dwconv::backward_data<float, taps, stride>(wider, {}, test_stream()) ==
        with_code(status_code::mismatch, "filter.width", 5, 3));
  CHECK(watch.saw_none());
}

TEMPLATE_TEST_CASE("accumulated gradients are added to what was there", "[backward_calls]", float,
                   double, __half, __nv_bfloat16)
{
  for (dwconv::layout const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
    conv2d_problem p = problem;
    p.batch = 3, p.multiplier = 2, p.data_layout = order;
    auto const c = integer_gradients<TestType>(p, 31);
    auto plus    = [](auto sums, auto const& before) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i].value += dwconv_reference::to_double(before[i]);
      }
      return sums;
    };
    auto const check = [&]<typename Gradient>(Gradient) {
      auto const filter_before = integers<Gradient>(filter_size(p), 32);
      auto const bias_before =
        integers<Gradient>(static_cast<std::size_t>(p.output_channels()), 33);
      auto const dfilter =
        run_filter<TestType, Gradient>(c, filter_door{update::accumulate}, {}, filter_before);
      auto const dbias =
        run_bias<TestType, Gradient>(c, bias_door{update::accumulate}, {}, bias_before);
      CHECK(ended_well(p, dfilter));
      CHECK(ended_well(p, dbias));
      CHECK(compare_gradient<TestType>(
        "dfilter", p, plus(dwconv_reference::backward_filter(p, c.x, c.dy), filter_before),
        dfilter.gradient.data(), tolerance::none));
      CHECK(compare_gradient<TestType>("dbias", p,
                                       plus(dwconv_reference::backward_bias(p, c.dy), bias_before),
                                       dbias.gradient.data(), tolerance::none));
    };
    check(TestType{});
    check(float{});
  }
}

TEST_CASE("what is accumulated is rounded once", "[backward_calls]")
{
  // 2048 + 1 is no half; 2048 + 1 + 1 is, if nothing is rounded in between.
  conv2d_problem const pair{.batch = 2, .channels = 1, .input = {1, 1}, .filter = {1, 1}};
  std::vector<__half> const ones(2, __half(1.0f));
  gradient_case<__half> const c{pair, ones, ones, {__half(1.0f)}};
  auto const a = run_filter<__half>(c, filter_door{update::accumulate}, {}, {__half(2048.0f)});
  REQUIRE(a.fine());
  CHECK(__half2float(a.gradient.at(0)) == 2050.0f);
}

TEST_CASE("of an empty batch dx is nothing, and the sums are zero", "[backward_calls]")
{
  conv2d_problem none = problem;
  none.batch          = 0;
  {
    launch_watch const watch;
    CHECK(dwconv::backward_data<float>(none, {}, test_stream()).ok());
    CHECK(dwconv::run<float>(dwconv::make_backward_data_plan<float>(none, dwconv::h200_facts),
                             dwconv::backward_data_tensors<float>{}, test_stream())
            .ok());
    CHECK(watch.saw_none());
  }
  CHECK(workspace_bytes(dwconv::make_backward_filter_plan<float>(none, 0)) == 0);
  CHECK(workspace_bytes(dwconv::make_backward_bias_plan<float>(none, 0)) == 0);
  device_buffer<float> dfilter{std::size_t{18}, poison{}}, dbias{std::size_t{2}, poison{}};
  CHECK(dwconv::backward_filter<float>(none, {.dfilter = dfilter.data()}, {}, test_stream()).ok());
  CHECK(dwconv::backward_bias<float>(none, {.dbias = dbias.data()}, {}, test_stream()).ok());
  CHECK(synchronize() == cudaSuccess);
  CHECK(dfilter.read() == std::vector<float>(18, 0.0f));
  CHECK(dbias.read() == std::vector<float>(2, 0.0f));
  CHECK(dfilter.canaries_intact());
  CHECK(dbias.canaries_intact());
  CHECK(dwconv::backward_filter<float>(none, {}, {}, test_stream()) ==
        with_code(status_code::null_pointer, "dfilter"));
}

TEST_CASE("nothing is accumulated of an empty batch", "[backward_calls]")
{
  conv2d_problem none = problem;
  none.batch          = 0;
  device_buffer<float> dfilter{std::vector<float>(18, 3.0f)}, dbias{std::vector<float>(2, 4.0f)};
  launch_watch const watch;
  CHECK(dwconv::backward_filter<float>(none, {.dfilter = dfilter.data()}, {}, test_stream(),
                                       update::accumulate)
          .ok());
  CHECK(dwconv::backward_bias<float>(none, {.dbias = dbias.data()}, {}, test_stream(),
                                     update::accumulate)
          .ok());
  CHECK(watch.saw_none());
  CHECK(synchronize() == cudaSuccess);
  CHECK(dfilter.read() == std::vector<float>(18, 3.0f));
  CHECK(dbias.read() == std::vector<float>(2, 4.0f));
}
