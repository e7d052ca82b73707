// SPDX-License-Identifier: Apache-2.0
// The window family's gradient of any filter: planned tiles, and tiles of the test's own whose
// taps, pieces of dy and images end anywhere; on integers bit for bit, else within the bound.
#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/any_filter_gradient.cuh>

#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::any_filter_gradient_policy;
using dwconv::conv2d_problem;
using dwconv::kernel_family;

namespace {

/// A GPU that few blocks fill, so that each has several units.
[[nodiscard]] dwconv::device_facts little_gpu(int multiprocessors)
{
  auto device                   = dwconv::h200_facts;
  device.multiprocessors        = multiprocessors;
  device.shared_bytes_per_block = 48 * 1024;
  return device;
}

/// Both passes, without a plan.
template <typename T>
[[nodiscard]] std::vector<dwconv::sum_of<T>> run(gradient_case<T> const& c,
                                                 any_filter_gradient_policy const& policy,
                                                 misalignment misalign)
{
  using sum           = dwconv::sum_of<T>;
  using config        = dwconv::any_filter_gradient_config<T>;
  constexpr int bytes = static_cast<int>(sizeof(T));
  dwconv::any_filter_gradient_layout const layout{c.problem, policy, bytes};
  device_buffer<T> x{c.x, misalign.x}, dy{c.dy, misalign.y};
  auto const taps = filter_size(c.problem);
  device_buffer<sum> partial{taps * static_cast<std::size_t>(policy.splits), poison{}};
  device_buffer<sum> dfilter{taps, poison{}};
  REQUIRE(layout.threads() <= dwconv::any_filter_gradient_threads);
  dwconv::launch_shape const shape{
    .grid         = dim3(static_cast<unsigned>(layout.blocks(c.problem) * policy.splits)),
    .block        = dim3(static_cast<unsigned>(layout.threads())),
    .shared_bytes = static_cast<unsigned>(layout.bytes(bytes))};
  typename config::params const params{c.problem, x.data(), dy.data(), partial.data(), policy};
  REQUIRE(dwconv::launch(&dwconv::any_filter_gradient_kernel<config>, shape, test_stream(),
                         params) == cudaSuccess);
  REQUIRE(dwconv::dispatch::launch_add_splits(
            dwconv::add_splits_params<sum, sum>{partial.data(), dfilter.data(),
                                                static_cast<std::int64_t>(taps), policy.splits,
                                                dwconv::update::overwrite},
            test_stream()) == cudaSuccess);
  REQUIRE(synchronize() == cudaSuccess);
  CHECK((x.canaries_intact() && dy.canaries_intact() && partial.canaries_intact()));
  return dfilter.read();
}

template <typename T>
void check(conv2d_problem const& p, any_filter_gradient_policy const& policy,
           misalignment misalign = {})
{
  auto const exact = integer_gradients<T>(p, 3);
  CHECK(compare_gradient<T>("dfilter", p, dwconv_reference::backward_filter(p, exact.x, exact.dy),
                            run(exact, policy, misalign).data(), tolerance::none));
  auto const real = real_gradients<T>(p, 5);
  CHECK(compare_gradient<T>(
    "dfilter", p, dwconv_reference::backward_filter(p, real.x, real.dy),
    run(real, policy, misalign).data(), tolerance::bound,
    dwconv::any_filter_gradient_chain(p, policy, static_cast<int>(sizeof(T))) + 1));
}

/// With a tile for a large GPU and for a small one.
template <typename T>
void check_planned(conv2d_problem const& p, misalignment misalign = {})
{
  constexpr int bytes = static_cast<int>(sizeof(T));
  for (auto const& device : {dwconv::h200_facts, little_gpu(1)}) {
    check<T>(p, dwconv::choose_any_filter_gradient_policy(p, bytes, device), misalign);
  }
}

[[nodiscard]] conv2d_problem square(std::int64_t batch, std::int64_t size, std::int64_t taps,
                                    std::int64_t pad)
{
  return {.batch    = batch,
          .channels = 2,
          .input    = {size, size},
          .filter   = {taps, taps},
          .pad      = {pad, pad, pad, pad}};
}

/// Tap tiles and pieces of dy of many sizes; what a share of units is left to the test.
[[nodiscard]] any_filter_gradient_policy tile_of(int tap_rows, int tap_columns, int rows,
                                                 int columns, int images, int beside, int per_split,
                                                 conv2d_problem const& p, int bytes)
{
  any_filter_gradient_policy policy{.tap_rows    = tap_rows,
                                    .tap_columns = tap_columns,
                                    .rows        = rows,
                                    .columns     = columns,
                                    .images      = images,
                                    .beside      = beside,
                                    .per_split   = per_split};
  auto const units = dwconv::any_filter_gradient_layout{p, policy, bytes}.units(p, policy);
  policy.splits    = static_cast<int>((units + per_split - 1) / per_split);
  return policy;
}

template <typename T>
void check_forced(conv2d_problem const& p)
{
  constexpr int bytes = static_cast<int>(sizeof(T));
  check<T>(p, tile_of(100, 100, 100, 100, 2, 1, 1, p, bytes), {1, 0, 3});
  check<T>(p, tile_of(5, 9, 4, 8, 3, 2, 4, p, bytes), {0, 0, 1});
  check<T>(p, tile_of(9, 3, 100, 5, 1, 1, 100, p, bytes));
  check<T>(p, tile_of(17, 8, 7, 16, 2, 3, 3, p, bytes), {5, 0, 0});
}

}  // namespace

TEMPLATE_TEST_CASE("gradient of any filter: planned tiles", "[backward_any_filter]", float, double,
                   __half, __nv_bfloat16)
{
  check_planned<TestType>(square(5, 14, 9, 4));
  check_planned<TestType>(square(3, 7, 13, 6), {1, 0, 2});
  check_planned<TestType>(square(33, 7, 4, 1));
  check_planned<TestType>({.batch      = 2,
                           .channels   = 3,
                           .multiplier = 2,
                           .input      = {19, 23},
                           .filter     = {11, 5},
                           .pad        = {7, 2, 0, 3}});
  check_planned<TestType>({.batch    = 3,
                           .channels = 2,
                           .input    = {21, 18},
                           .filter   = {7, 6},
                           .stride   = {2, 3},
                           .dilation = {3, 2},
                           .pad      = {9, 8, 5, 6}});
}

TEST_CASE("gradient of any filter: filters that planes end in, and larger than planes",
          "[backward_any_filter]")
{
  for (std::int64_t taps : {1, 7, 8, 9, 16, 17, 31}) {
    check_planned<float>(square(2, 13, taps, taps / 2));
    check_planned<double>(square(1, 6, taps, taps / 2 + 3));
  }
  check_planned<float>(square(2, 1, 5, 2));
  check_planned<float>(
    {.batch = 1, .channels = 1, .input = {5, 6}, .filter = {70, 67}, .pad = {40, 33, 35, 30}});
  check_planned<float>(
    {.batch = 1, .channels = 2, .input = {2, 300}, .filter = {1, 29}, .pad = {0, 0, 28, 0}});
  check_planned<float>(
    {.batch = 1, .channels = 2, .input = {150, 3}, .filter = {29, 2}, .pad = {3, 0, 0, 1}});
  // Nothing of x is met.
  check_planned<float>(
    {.batch = 1, .channels = 1, .input = {3, 3}, .filter = {5, 5}, .pad = {30, 30, 30, 30}});
}

TEST_CASE("gradient of any filter: strides and dilations of every phase", "[backward_any_filter]")
{
  for (std::int64_t const stride : {1, 2, 3, 4}) {
    for (std::int64_t const dilation : {1, 2, 3, 6}) {
      conv2d_problem const p{.batch    = 2,
                             .channels = 2,
                             .input    = {20, 27},
                             .filter   = {5, 4},
                             .stride   = {stride, dilation},
                             .dilation = {dilation, stride},
                             .pad      = {stride, 2 * dilation, 3, 5}};
      check_planned<float>(p);
      check<float>(p, tile_of(2, 100, 3, 4, 2, 1, 2, p, 4), {1, 0, 1});
    }
  }
}

TEST_CASE("gradient of any filter: tiles that end anywhere", "[backward_any_filter]")
{
  conv2d_problem const p{.batch      = 5,
                         .channels   = 2,
                         .multiplier = 2,
                         .input      = {15, 18},
                         .filter     = {12, 17},
                         .pad        = {5, 6, 8, 8}};
  check_forced<float>(p);
  check_forced<double>(p);
  check_forced<__half>(p);
  under_every_schedule([&] { check_forced<float>(p); });
}

TEST_CASE("gradient of any filter: its door and plan", "[backward_any_filter]")
{
  for (auto const& p : {square(3, 14, 13, 6), square(2, 30, 9, 0)}) {
    auto const plan = dwconv::make_backward_filter_plan<float>(p, 0);
    REQUIRE(plan.outcome.ok());
    REQUIRE(plan.family == kernel_family::window);
    REQUIRE(for_any_filter(plan));
    auto const c     = real_gradients<float>(p, 9);
    auto const once  = run_filter(c, filter_door{}, {1, 0, 1});
    auto const again = run_filter(c, filter_door{}, {0, 2, 3});
    CHECK(once.fine());
    CHECK(same_bits(once.gradient, again.gradient));
    CHECK(compare_gradient<float>("dfilter", p, dwconv_reference::backward_filter(p, c.x, c.dy),
                                  once.gradient.data(), tolerance::bound, longest_chain(plan) + 1));
  }
}
