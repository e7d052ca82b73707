// SPDX-License-Identifier: Apache-2.0
// Several gradients by one call: the bits of the calls for one, unless one pass has sums of its
// own; each subset, nothing written where something is refused.
#include <dwconv/backward.cuh>

#include "backward/scenario.hpp"
#include "forward/launch_watch.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::gradients;
using dwconv::status;
using dwconv::status_code;

namespace {

constexpr conv2d_problem plain{
  .batch = 3, .channels = 5, .input = {13, 18}, .filter = {3, 3}, .pad = {1, 1, 1, 1}};

std::vector<gradients> subsets()
{
  std::vector<gradients> all;
  for (int bits = 1; bits < 8; ++bits) {
    all.push_back({(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0});
  }
  return all;
}

/// Buffers of one call; those of gradients that are not wanted are there all the same, to be left
/// alone.
template <typename T, typename Gradient>
struct call {
  conv2d_problem p;
  gradients wanted;
  device_buffer<T> x, dy, filter, dx;
  device_buffer<Gradient> dfilter, dbias;
  dwconv::backward_plan plan;
  device_buffer<dwconv::sum_of<T>> memory;

  call(gradient_case<T> const& c, gradients const& wanted_)
    : p{c.problem},
      wanted{wanted_},
      x{c.x},
      dy{c.dy},
      filter{c.filter},
      dx{c.x.size(), poison{}},
      dfilter{c.filter.size(), poison{}},
      dbias{static_cast<std::size_t>(p.output_channels()), poison{}},
      plan{dwconv::make_backward_plan<T>(p, wanted, 0)},
      memory{static_cast<std::size_t>(workspace_bytes(plan)) / sizeof(dwconv::sum_of<T>), poison{}}
  {}

  [[nodiscard]] dwconv::backward_tensors<T, Gradient> tensors()
  {
    return {wanted.dfilter ? x.data() : nullptr,       dy.data(),
            wanted.dx ? filter.data() : nullptr,       wanted.dx ? dx.data() : nullptr,
            wanted.dfilter ? dfilter.data() : nullptr, wanted.dbias ? dbias.data() : nullptr};
  }
  [[nodiscard]] dwconv::workspace scratch() { return {memory.data(), workspace_bytes(plan)}; }

  [[nodiscard]] bool untouched()
  {
    return gradient_aftermath<T>{{}, cudaSuccess, dx.read(), true}.untouched() &&
           gradient_aftermath<Gradient>{{}, cudaSuccess, dfilter.read(), true}.untouched() &&
           gradient_aftermath<Gradient>{{}, cudaSuccess, dbias.read(), true}.untouched();
  }
  [[nodiscard]] bool canaries_intact() const
  {
    return x.canaries_intact() && dy.canaries_intact() && filter.canaries_intact() &&
           dx.canaries_intact() && dfilter.canaries_intact() && dbias.canaries_intact() &&
           memory.canaries_intact();
  }
};

template <typename T, typename Gradient>
void check_together(conv2d_problem const& p)
{
  auto const c = real_gradients<T>(p, 61);
  for (gradients const& wanted : subsets()) {
    CAPTURE(describe(p), wanted.dx, wanted.dfilter, wanted.dbias);
    call<T, Gradient> together{c, wanted};
    status const outcome =
      dwconv::backward<T, Gradient>(p, together.tensors(), together.scratch(), test_stream());
    CHECK(outcome.message() == status{}.message());
    CHECK(synchronize() == cudaSuccess);
    CHECK(together.canaries_intact());
    auto const alone = [](bool asked, auto const& found, auto const& single) {
      if (asked) {
        CHECK(single.fine());
        CHECK(same_bits(found, single.gradient));
      }
    };
    if (together.plan.joint.chosen) {
      CHECK(compare_gradient<T>("dx", p, dwconv_reference::backward_data(p, c.dy, c.filter),
                                together.dx.read().data(), tolerance::bound));
      CHECK(compare_gradient<T>("dfilter", p, dwconv_reference::backward_filter(p, c.x, c.dy),
                                together.dfilter.read().data(), tolerance::bound,
                                longest_chain(together.plan) + 1));
    } else {
      alone(wanted.dx, together.dx.read(), run_data(c));
      alone(wanted.dfilter, together.dfilter.read(), run_filter<T, Gradient>(c));
    }
    alone(wanted.dbias, together.dbias.read(), run_bias<T, Gradient>(c));
    // What was not asked for is as it was.
    using data_left = gradient_aftermath<T>;
    using sums_left = gradient_aftermath<Gradient>;
    CHECK((wanted.dx || data_left{{}, cudaSuccess, together.dx.read(), true}.untouched()));
    CHECK(
      (wanted.dfilter || sums_left{{}, cudaSuccess, together.dfilter.read(), true}.untouched()));
    CHECK((wanted.dbias || sums_left{{}, cudaSuccess, together.dbias.read(), true}.untouched()));
  }
}

/// A call of all three gradients with its tensors changed; nothing may be launched or written.
template <typename Change>
status refusal(Change const& change)
{
  call<float, float> all{integer_gradients<float>(plain), {true, true, true}};
  auto tensors = all.tensors();
  auto scratch = all.scratch();
  change(tensors, scratch);
  launch_watch const watch;
  status const outcome = dwconv::run<float>(all.plan, tensors, scratch, test_stream());
  CHECK(synchronize() == cudaSuccess);
  CHECK(watch.saw_none());
  CHECK(all.untouched());
  return outcome;
}

using tensors_of = dwconv::backward_tensors<float>;

}  // namespace

TEST_CASE("several gradients have the bits of each alone, or are as close in one pass",
          "[together]")
{
  conv2d_problem several = plain;
  several.multiplier     = 2;
  several.stride         = {2, 1};
  conv2d_problem last    = plain;
  last.data_layout       = dwconv::layout::nhwc;
  for (conv2d_problem const& p : {plain, several, last}) {
    check_together<float, float>(p);
    check_together<__half, float>(p);
    check_together<__nv_bfloat16, __nv_bfloat16>(p);
    check_together<double, double>(p);
  }
}

TEST_CASE("the workspace of several gradients is that of the one that needs most", "[together]")
{
  for (gradients const& wanted : subsets()) {
    auto const plan         = dwconv::make_backward_plan<float>(plain, wanted, dwconv::h200_facts);
    auto const filter       = dwconv::make_backward_filter_plan<float>(plain, dwconv::h200_facts);
    auto const bias         = dwconv::make_backward_bias_plan<float>(plain, dwconv::h200_facts);
    bool const joint        = wanted.dx && wanted.dfilter;
    std::int64_t const sums = joint            ? split_count(plan) * filter_elements(plain) * 4
                              : wanted.dfilter ? workspace_bytes(filter)
                                               : 0;
    CHECK(plan.joint.chosen == joint);
    CHECK(workspace_bytes(plan) == std::max(sums, wanted.dbias ? workspace_bytes(bias) : 0));
    CHECK((describe(plan).find("backward_data") != std::string::npos) == wanted.dx);
    CHECK((describe(plan).find("backward_filter float32") != std::string::npos) == wanted.dfilter);
    CHECK((describe(plan).find("backward_bias float32") != std::string::npos) == wanted.dbias);
  }
}

TEST_CASE("a plan says whether dx and dfilter go in one pass, and why not", "[together]")
{
  auto const said = [](conv2d_problem const& p) {
    return describe(dwconv::make_backward_plan<float>(p, {true, true}, dwconv::h200_facts));
  };
  CHECK(said(plain).find("in one pass: dy is read once for both") != std::string::npos);
  auto const apart = [&](char const* reason, auto const& change) {
    conv2d_problem p = plain;
    change(p);
    INFO(said(p));
    CHECK(said(p).find(std::string{"one after the other: "} + reason) != std::string::npos);
  };
  apart("its tiles are staged in nchw only", [](auto& p) { p.data_layout = dwconv::layout::nhwc; });
  apart("no kernel of both is compiled for this filter", [](auto& p) { p.filter = {7, 7}; });
  apart("the filter is dilated", [](auto& p) { p.dilation = {2, 1}; });
  apart("the stride sets the elements of dy apart", [](auto& p) { p.stride = {1, 2}; });
  apart("an element of dx sums over several filters", [](auto& p) { p.multiplier = 2; });
  apart("some of dy saw nothing but padding", [](auto& p) { p.pad.top = 3; });
  apart("there is nothing to sum", [](auto& p) { p.batch = 0; });
}

TEST_CASE("a sum over the batch is added to where that is asked", "[together]")
{
  auto const c = integer_gradients<float>(plain, 62);
  call<float, float> twice{c, {true, true, true}};
  for (dwconv::update const how : {dwconv::update::overwrite, dwconv::update::accumulate}) {
    REQUIRE(
      dwconv::run<float>(twice.plan, twice.tensors(), twice.scratch(), test_stream(), how).ok());
  }
  REQUIRE(synchronize() == cudaSuccess);
  CHECK(same_bits(twice.dx.read(), run_data(c).gradient));
  auto const doubled = [](std::vector<float> const& found, std::vector<float> const& once) {
    for (std::size_t i = 0; i < once.size(); ++i) {
      if (found[i] != 2 * once[i]) { return false; }
    }
    return true;
  };
  CHECK(doubled(twice.dfilter.read(), run_filter<float, float>(c).gradient));
  CHECK(doubled(twice.dbias.read(), run_bias<float, float>(c).gradient));
}

TEST_CASE("gradients that overlap each other or what the others read are refused", "[together]")
{
  auto const overlapping = [](char const* name, auto const& change) {
    status const outcome = refusal(change);
    CHECK(outcome.code == status_code::overlapping_tensors);
    CHECK(std::string{outcome.argument} == name);
  };
  overlapping("x", [](tensors_of& t, auto&) { t.x = t.dx; });
  overlapping("filter", [](tensors_of& t, auto&) { t.filter = t.dfilter; });
  overlapping("filter", [](tensors_of& t, auto&) { t.filter = t.dbias; });
  overlapping("dbias", [](tensors_of& t, auto&) { t.dbias = t.dfilter + 3; });
  overlapping("dfilter", [](tensors_of& t, auto&) { t.dfilter = t.dx + 7; });
  overlapping("dbias", [](tensors_of& t, auto&) { t.dbias = t.dx; });
  overlapping("workspace", [](tensors_of& t, auto& w) { w.data = t.dx; });
  overlapping("dy", [](tensors_of& t, auto&) { t.dy = t.dx; });
}

TEST_CASE("a call for several gradients is refused as those for one are", "[together]")
{
  CHECK(refusal([](tensors_of& t, auto&) { t.dy = nullptr; }) ==
        status{.code = status_code::null_pointer, .argument = "dy"});
  CHECK(refusal([](tensors_of& t, auto&) { t.x = nullptr; }) ==
        status{.code = status_code::null_pointer, .argument = "x"});
  CHECK(refusal([](tensors_of& t, auto&) { t.dbias = nullptr; }) ==
        status{.code = status_code::null_pointer, .argument = "dbias"});
  CHECK(refusal([](tensors_of&, auto& w) { --w.bytes; }).code == status_code::too_small);
  CHECK(dwconv::make_backward_plan<float>(plain, {}, dwconv::h200_facts).outcome ==
        status{.code = status_code::null_pointer, .argument = "each of dx, dfilter and dbias"});
  conv2d_problem wrong = plain;
  wrong.channels       = 0;
  CHECK(dwconv::make_backward_plan<float>(wrong, {true}, 0).outcome == dwconv::validate(wrong));
  CHECK(dwconv::backward<float>(wrong, {}, {}, test_stream()) == dwconv::validate(wrong));
}

TEST_CASE("an empty batch has sums of nothing", "[together]")
{
  conv2d_problem empty = plain;
  empty.batch          = 0;
  device_buffer<float> dfilter{std::size_t{45}, poison{}}, dbias{std::size_t{5}, poison{}};
  CHECK(dwconv::backward<float>(empty,
                                {nullptr, nullptr, nullptr, nullptr, dfilter.data(), dbias.data()},
                                {}, test_stream())
          .ok());
  CHECK(synchronize() == cudaSuccess);
  CHECK(dfilter.read() == std::vector<float>(45, 0));
  CHECK(dbias.read() == std::vector<float>(5, 0));
}
