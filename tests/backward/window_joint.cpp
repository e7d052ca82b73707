// SPDX-License-Identifier: Apache-2.0
// dx and dfilter in one pass: every kernel, every way of moving a chunk, planned tiles and tiles of
// the test's own; on integers bit for bit, and dx with the bits of the call for dx alone.
#include <dwconv/backward.cuh>

#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::mover;
using dwconv::padding2;
using dwconv::status;
using dwconv::window_filter_policy;

namespace {

constexpr dwconv::gradients both{.dx = true, .dfilter = true};

/// A tile of the test's own, cut down to the problem: zeros stand for as much as there is.
struct forced_tile {
  int channels = 1, part = 0, images = 1, columns = 0, strip = 0, turns = 0, down = 1, warps = 0,
      stages = 2;
};

template <typename T>
[[nodiscard]] dwconv::backward_plan forced_plan(conv2d_problem const& p, forced_tile const& wanted)
{
  auto plan = dwconv::make_backward_plan<T>(p, both, 0);
  REQUIRE(plan.joint.chosen);
  auto const of = [](std::int64_t value, std::int64_t most) {
    return static_cast<int>(value == 0 ? most : std::min(value, most));
  };
  auto const parts = [](std::int64_t whole, std::int64_t part) {
    return static_cast<int>((whole + part - 1) / part);
  };
  int const steps = dwconv::window_filter_walk{p}.steps();
  int const live  = static_cast<int>(p.filter.height);
  window_filter_policy policy{};
  policy.columns   = of(wanted.columns, p.input.width);
  policy.strip     = of(wanted.strip, steps);
  bool const whole = policy.columns >= p.input.width && policy.strip >= steps && wanted.turns == 0;
  policy.steps     = wanted.turns > 0 ? wanted.turns * live
                     : whole          ? policy.strip
                                      : parts(policy.strip + live - 1, live) * live;
  policy.stages    = wanted.stages;
  policy.channels  = whole ? of(wanted.channels, p.channels) : 1;
  policy.images    = policy.columns < p.input.width ? 1 : of(wanted.images, p.batch);
  policy.part      = std::max(of(wanted.part, p.batch) / policy.images, 1) * policy.images;
  policy.down      = whole ? of(wanted.down, steps) : 1;
  int const lines =
    parts(policy.columns, dwconv::window_filter_columns(p.filter, static_cast<int>(sizeof(T))));
  policy.threads =
    std::max(parts(lines * policy.down * policy.images * policy.channels, 32), wanted.warps) * 32;
  policy.sum_lanes = lines * policy.down * policy.images > 8 ? 4 : 1;
  REQUIRE(policy.threads <= dwconv::window_filter_threads);
  dwconv::planning::fill_joint(plan, policy);
  REQUIRE(plan.joint.shared_bytes <= plan.device.shared_bytes_per_block);
  return plan;
}

/// The kernel of one filter, its chunks moved in a given way.
template <typename Taps, mover How>
struct mover_door {
  template <typename T>
  [[nodiscard]] status operator()(dwconv::backward_plan const& plan,
                                  dwconv::backward_tensors<T> const& tensors,
                                  dwconv::workspace const& scratch, cudaStream_t stream) const
  {
    using config       = dwconv::window_joint_config<T, Taps, How>;
    using sum          = dwconv::sum_of<T>;
    sum* const partial = static_cast<sum*>(scratch.data);
    dwconv::launch_shape const shape{
      .grid         = dim3(static_cast<unsigned>(plan.joint.blocks)),
      .block        = dim3(static_cast<unsigned>(plan.joint.threads)),
      .shared_bytes = static_cast<unsigned>(plan.joint.shared_bytes)};
    typename config::params const params{plan.problem, tensors.x, tensors.dy,       tensors.filter,
                                         tensors.dx,   partial,   plan.joint.window};
    cudaError_t const first =
      dwconv::launch(&dwconv::window_joint_kernel<config>, shape, stream, params);
    cudaError_t const second = dwconv::dispatch::launch_add_splits(
      dwconv::add_splits_params<sum, T>{partial, tensors.dfilter, filter_elements(plan.problem),
                                        split_count(plan), dwconv::update::overwrite},
      stream);
    return first == cudaSuccess && second == cudaSuccess
             ? status{}
             : status{.code = dwconv::status_code::cuda_error, .argument = "launch"};
  }
};

/// The public door.
struct planned_door {
  template <typename T>
  [[nodiscard]] status operator()(dwconv::backward_plan const& plan,
                                  dwconv::backward_tensors<T> const& tensors,
                                  dwconv::workspace const& scratch, cudaStream_t stream) const
  {
    return dwconv::run<T>(plan, tensors, scratch, stream);
  }
};

/// How far the tensors begin past a boundary, in elements.
struct starts {
  std::size_t x = 0, dx = 0, dy = 0;
};

template <typename T>
struct both_gradients {
  agreement well;
  std::vector<T> dx, dfilter;
};

template <typename T, typename Door>
[[nodiscard]] both_gradients<T> run_both(gradient_case<T> const& c,
                                         dwconv::backward_plan const& plan, Door const& door,
                                         starts const& at = {})
{
  conv2d_problem const& p = c.problem;
  device_buffer<T> x{c.x, at.x}, dy{c.dy, at.dy}, filter{c.filter, at.dx};
  device_buffer<T> dx{c.x.size(), poison{}, at.dx}, dfilter{filter_size(p), poison{}, at.dy};
  exact_workspace<T> scratch{plan};
  dwconv::backward_tensors<T> const tensors{x.data(),  dy.data(),      filter.data(),
                                            dx.data(), dfilter.data(), nullptr};
  status const outcome     = door(plan, tensors, scratch.get(), test_stream());
  cudaError_t const device = synchronize();
  bool const rest = x.canaries_intact() && dy.canaries_intact() && filter.canaries_intact() &&
                    dx.canaries_intact() && dfilter.canaries_intact() &&
                    scratch.canaries_intact() && same_bits(x.read(), c.x) &&
                    same_bits(dy.read(), c.dy) && same_bits(filter.read(), c.filter);
  return {ended_well<T>(p, {outcome, device, {}, rest}), dx.read(), dfilter.read()};
}

template <typename T, typename Door>
[[nodiscard]] agreement agrees(gradient_case<T> const& c, dwconv::backward_plan const& plan,
                               Door const& door, tolerance t, starts const& at = {})
{
  auto const found = run_both(c, plan, door, at);
  if (!found.well) { return found.well; }
  agreement const of_x =
    compare_gradient<T>("dx", c.problem, dwconv_reference::backward_data(c.problem, c.dy, c.filter),
                        found.dx.data(), t);
  if (!of_x) { return of_x; }
  return compare_gradient<T>("dfilter", c.problem,
                             dwconv_reference::backward_filter(c.problem, c.x, c.dy),
                             found.dfilter.data(), t, longest_chain(plan) + 1);
}

template <typename T, typename Taps>
void check_each_mover(conv2d_problem const& p, std::optional<forced_tile> const& tile = {})
{
  CAPTURE(tile.has_value());
  auto const plan = tile ? forced_plan<T>(p, *tile) : dwconv::make_backward_plan<T>(p, both, 0);
  REQUIRE(plan.joint.chosen);
  auto const c = integer_gradients<T>(p, 31);
  // Aligned; dx and x alike, but not to a boundary; each in its own way.
  for (starts const& at : {starts{}, starts{1, 1, 2}, starts{5, 2, 1}}) {
    CHECK(agrees(c, plan, mover_door<Taps, mover::vectors>{}, tolerance::none, at));
    CHECK(agrees(c, plan, mover_door<Taps, mover::async>{}, tolerance::none, at));
    CHECK(agrees(c, plan, mover_door<Taps, mover::bulk>{}, tolerance::none, at));
  }
}

struct counts {
  std::int64_t batch = 1, channels = 1;
};

[[nodiscard]] conv2d_problem problem_of(extent2 taps, extent2 input, padding2 pad = {},
                                        counts const& n = {})
{
  return {.batch = n.batch, .channels = n.channels, .input = input, .filter = taps, .pad = pad};
}

/// Paddings of a filter, as much as a tap may see of nothing else.
[[nodiscard]] std::vector<padding2> paddings(extent2 taps)
{
  std::int64_t const h = taps.height - 1, w = taps.width - 1;
  return {{}, {h / 2, h / 2, w / 2, w / 2}, {h, 0, 0, w}, {0, h, w, 0}, {h, h, w, w}};
}

/// Whole planes, strips and windows of columns, as planned.
template <typename T, typename Taps>
void check_planned()
{
  std::int64_t const h = Taps::extent.height, w = Taps::extent.width;
  padding2 const some{(h - 1) / 2, h / 2, w / 2, (w - 1) / 2};
  auto const with = [](extent2 input, padding2 pad = {}, counts const& n = {}) {
    return problem_of(Taps::extent, input, pad, n);
  };
  check_each_mover<T, Taps>(with({5, 7}, some, {.batch = 3, .channels = 11}));
  check_each_mover<T, Taps>(with({37, 101}, some, {.batch = 2}));
  check_each_mover<T, Taps>(with({14, 14}, some, {.batch = 5, .channels = 3}));
  check_each_mover<T, Taps>(with({9, 945}, {0, 0, w - 1, 0}));
  check_each_mover<T, Taps>(with({h, w}, {}, {.batch = 5, .channels = 13}));
}

/// Forced tiles of little problems: chunks that begin anywhere, strips, windows, threads below each
/// other, channels and images left over, warps to spare.
template <typename T, typename Taps>
void check_forced()
{
  std::int64_t const h = Taps::extent.height, w = Taps::extent.width;
  auto const plain =
    problem_of(Taps::extent, {19, 13}, {h / 2, h / 2, w / 2, 0}, {.batch = 5, .channels = 5});
  auto const even =
    problem_of(Taps::extent, {20, 26}, {0, h - 1, w / 2, w / 2}, {.batch = 3, .channels = 2});
  auto const low =
    problem_of(Taps::extent, {1, 41}, {h - 1, h - 1, w - 1, w - 1}, {.batch = 3, .channels = 5});
  check_each_mover<T, Taps>(plain, forced_tile{.channels = 4, .images = 2, .down = 3});
  check_each_mover<T, Taps>(plain, forced_tile{.channels = 5, .part = 2, .warps = 3, .stages = 1});
  check_each_mover<T, Taps>(plain, forced_tile{.images = 3, .turns = 1, .stages = 3});
  check_each_mover<T, Taps>(plain, forced_tile{.part = 2, .strip = 7, .turns = 2});
  check_each_mover<T, Taps>(plain, forced_tile{.columns = 6, .turns = 2});
  check_each_mover<T, Taps>(even, forced_tile{.part = 3, .columns = 9, .strip = 5, .warps = 2});
  check_each_mover<T, Taps>(even, forced_tile{.columns = 12, .turns = 1, .stages = 1});
  check_each_mover<T, Taps>(even, forced_tile{.images = 2, .strip = 4, .turns = 1, .stages = 1});
  check_each_mover<T, Taps>(even, forced_tile{.channels = 2, .part = 2, .down = 5});
  check_each_mover<T, Taps>(low, forced_tile{.channels = 2, .images = 2, .stages = 3});
  check_each_mover<T, Taps>(low, forced_tile{.columns = 18});
}

}  // namespace

TEMPLATE_TEST_CASE("both gradients in one pass are exact, through the door", "[window_joint]",
                   float, double, __half, __nv_bfloat16)
{
  for (extent2 const filter : dwconv::window_joint_filters) {
    for (padding2 const& pad : paddings(filter)) {
      for (auto const width : {3, 6, 7, 8, 14, 30, 113}) {
        for (auto const height : {3, 5, 20}) {
          auto const p    = problem_of(filter, {height, width}, pad, {.batch = 3, .channels = 4});
          auto const plan = dwconv::make_backward_plan<TestType>(p, both, 0);
          INFO(describe(plan));
          REQUIRE(plan.joint.chosen);
          CHECK(agrees(integer_gradients<TestType>(p, 5), plan, planned_door{}, tolerance::none));
          auto const real         = real_gradients<TestType>(p, 5);
          std::size_t const start = static_cast<std::size_t>(width % 3);
          CHECK(agrees(real, plan, planned_door{}, tolerance::bound, {start, start, 1}));
          // dx is summed as alone, but by tensor cores, which have half types, in another order.
          auto const first = run_both(real, plan, planned_door{});
          CHECK((sizeof(TestType) == 2 || same_bits(first.dx, run_data(real).gradient)));
          auto const again = run_both(real, plan, planned_door{});
          CHECK(same_bits(first.dx, again.dx));
          CHECK(same_bits(first.dfilter, again.dfilter));
        }
      }
    }
  }
}

TEST_CASE("every mover brings every chunk of both gradients: planned tiles", "[window_joint]")
{
  check_planned<float, dwconv::taps<3, 3>>();
  check_planned<__half, dwconv::taps<3, 3>>();
  check_planned<double, dwconv::taps<3, 1>>();
}

TEST_CASE("every mover brings every chunk of both gradients: forced tiles", "[window_joint]")
{
  check_forced<float, dwconv::taps<3, 3>>();
  check_forced<float, dwconv::taps<3, 1>>();
  check_forced<__half, dwconv::taps<3, 3>>();
  check_forced<double, dwconv::taps<3, 1>>();
}

TEST_CASE("every mover of both gradients, whatever runs first and whenever copies land",
          "[window_joint]")
{
  under_every_schedule([] {
    check_forced<float, dwconv::taps<3, 3>>();
    check_forced<__half, dwconv::taps<3, 3>>();
  });
}

TEST_CASE("a NaN in memory beside a row reaches no gradient in one pass", "[window_joint]")
{
  // The last channel is all NaN: it lies beside the channel before, in memory and in a stage.
  auto const p            = problem_of({3, 3}, {6, 9}, {1, 1, 1, 1}, {.batch = 2, .channels = 3});
  auto c                  = integer_gradients<float>(p, 7);
  auto clean              = c;
  std::size_t const plane = 54;
  for (std::size_t image = 0; image < 2; ++image) {
    for (std::size_t i = 0; i < plane; ++i) {
      c.x[(3 * image + 2) * plane + i] = c.dy[(3 * image + 2) * plane + i] =
        std::numeric_limits<float>::quiet_NaN();
    }
  }
  auto const plan     = dwconv::make_backward_plan<float>(p, both, 0);
  auto const found    = run_both(c, plan, planned_door{});
  auto const expected = run_both(clean, plan, planned_door{});
  CHECK(found.well);
  for (std::size_t i = 0; i < 2 * 9; ++i) { CHECK(found.dfilter[i] == expected.dfilter[i]); }
  for (std::size_t image = 0; image < 2; ++image) {
    for (std::size_t i = 0; i < 2 * plane; ++i) {
      CHECK(found.dx[3 * image * plane + i] == expected.dx[3 * image * plane + i]);
    }
  }
}
