// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "record.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::forward_tensors;
using dwconv::status_code;

namespace {

struct refusal {
  char const* what;
  status_code expected;
  std::function<void(conv2d_problem&, forward_tensors<float>&)> spoil;
};

using problem_ref = conv2d_problem&;
using tensors_ref = forward_tensors<float>&;

refusal const refusals[] = {
  {"negative batch", status_code::too_small, [](problem_ref p, tensors_ref) { p.batch = -1; }},
  {"no channels", status_code::too_small, [](problem_ref p, tensors_ref) { p.channels = 0; }},
  {"no multiplier", status_code::too_small, [](problem_ref p, tensors_ref) { p.multiplier = 0; }},
  {"no input", status_code::too_small, [](problem_ref p, tensors_ref) { p.input.width = 0; }},
  {"no filter", status_code::too_small, [](problem_ref p, tensors_ref) { p.filter.height = 0; }},
  {"no stride", status_code::too_small, [](problem_ref p, tensors_ref) { p.stride.width = 0; }},
  {"no dilation", status_code::too_small,
   [](problem_ref p, tensors_ref) {
     p.dilation = {0, 1};
   }},
  {"negative padding", status_code::too_small, [](problem_ref p, tensors_ref) { p.pad.top = -1; }},
  {"endless padding", status_code::too_large,
   [](problem_ref p, tensors_ref) { p.pad.left = INT64_MAX; }},
  {"unknown layout", status_code::unknown_value,
   [](problem_ref p, tensors_ref) { p.data_layout = static_cast<dwconv::layout>(7); }},
  {"filter past the input", status_code::filter_exceeds_input,
   [](problem_ref p, tensors_ref) {
     p.filter = {36, 3};
   }},
  {"uncountable tensor", status_code::overflow,
   [](problem_ref p, tensors_ref) { p.batch = p.channels = std::int64_t{1} << 35; }},
  {"null x", status_code::null_pointer, [](problem_ref, tensors_ref t) { t.x = nullptr; }},
  {"null filter", status_code::null_pointer,
   [](problem_ref, tensors_ref t) { t.filter = nullptr; }},
  {"null y", status_code::null_pointer, [](problem_ref, tensors_ref t) { t.y = nullptr; }},
  {"misaligned x", status_code::misaligned_pointer,
   [](problem_ref, tensors_ref t) { t.x = address<float>(0x10001); }},
  {"misaligned y", status_code::misaligned_pointer,
   [](problem_ref, tensors_ref t) { t.y = address<float>(0x10002); }},
  {"y over x", status_code::overlapping_tensors, [](problem_ref, tensors_ref t) { t.x = t.y + 1; }},
  {"y over filter", status_code::overlapping_tensors,
   [](problem_ref, tensors_ref t) { t.filter = t.y; }},
};

}  // namespace

TEST_CASE("a refused argument launches nothing", "[refusals]")
{
  for (auto const& refusal : refusals) {
    CAPTURE(refusal.what);
    fake_cudart::reset();
    auto problem = modest;
    auto tensors = somewhere();
    refusal.spoil(problem, tensors);
    CHECK(subject::forward(problem, tensors, callers_stream).code == refusal.expected);
    CHECK(subject::forward_3x3(problem, tensors, callers_stream).code != status_code::success);
    CHECK(subject::run(subject::plan(problem, 0), tensors, callers_stream).code ==
          refusal.expected);
    CHECK(launches() == 0);
  }
}

TEST_CASE("a filter or stride that was not compiled launches nothing", "[refusals]")
{
  fake_cudart::reset();
  auto wider    = modest;
  wider.filter  = {3, 5};
  auto longer   = modest;
  longer.stride = {1, 2};
  CHECK(subject::forward_3x3(wider, somewhere(), callers_stream).code == status_code::mismatch);
  CHECK(subject::forward_3x3(longer, somewhere(), callers_stream).code == status_code::mismatch);
  CHECK(launches() == 0);
}

TEST_CASE("a plan for another dtype or instance launches nothing", "[refusals]")
{
  fake_cudart::reset();
  auto plan = subject::plan(modest, 0);
  CHECK(subject::run(plan, somewhere<double>(), callers_stream).code == status_code::mismatch);
  plan.compiled = {dwconv::kernel_family::direct, {7, 7}, {1, 1}};
  CHECK(subject::run(plan, somewhere(), callers_stream).code == status_code::mismatch);
  CHECK(launches() == 0);
}

TEST_CASE("an epilogue's unfit pointer launches nothing", "[refusals]")
{
  fake_cudart::reset();
  auto const tensors = somewhere();
  auto const call    = [&](float const* bias) {
    return subject::forward_with_bias(modest, tensors, bias, callers_stream).code;
  };
  CHECK(call(nullptr) == status_code::null_pointer);
  CHECK(call(address<float>(0x10001)) == status_code::misaligned_pointer);
  CHECK(call(tensors.y) == status_code::overlapping_tensors);
  CHECK(launches() == 0);
}
