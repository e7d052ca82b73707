// SPDX-License-Identifier: Apache-2.0
// The window family's gradient of the filter: every kernel, every way of moving a chunk, planned
// tiles and tiles of the test's own; on integers bit for bit.
#include <dwconv/dispatch/add_splits.cuh>
#include <dwconv/dispatch/window_filter.cuh>

#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::kernel_family;
using dwconv::mover;
using dwconv::padding2;
using dwconv::status;
using dwconv::window_filter_policy;

namespace {

/// A tile of the test's own, cut down to the problem: zeros stand for as much as there is.
struct forced_share {
  int channels = 1, part = 0, images = 1, columns = 0, strip = 0, steps = 0, down = 1, warps = 0,
      stages = 2;
};

template <typename T>
[[nodiscard]] dwconv::backward_filter_plan forced_plan(conv2d_problem const& p,
                                                       forced_share const& wanted)
{
  using namespace dwconv::window_filter_tiles;
  constexpr int bytes = static_cast<int>(sizeof(T));
  auto plan           = dwconv::make_backward_filter_plan<T>(p, 0, kernel_family::window);
  REQUIRE(plan.outcome.ok());
  frame const f{p, bytes, plan.device, aims_for(p, bytes)};
  auto const of = [](std::int64_t value, std::int64_t most) {
    return static_cast<int>(value == 0 ? most : std::min(value, most));
  };
  window_filter_policy policy{};
  policy.columns = of(wanted.columns, f.out.width);
  policy.strip   = of(wanted.strip, f.walk.steps());
  bool const rows =
    policy.columns < f.out.width || policy.strip < f.walk.steps() || wanted.steps > 0;
  int const turn = dwconv::window_filter_turns(p.filter, p.stride);
  policy.steps   = wanted.steps > 0 ? wanted.steps * turn : policy.strip;
  policy.stages  = wanted.stages;
  if (rows && wanted.steps == 0) {
    policy.steps =
      static_cast<int>(dwconv::geometry::divide_up(policy.strip + f.walk.live - 1, turn)) * turn;
  }
  bool const whole =
    policy.columns >= f.out.width && policy.strip >= f.walk.steps() && policy.steps >= policy.strip;
  policy.channels = whole ? of(wanted.channels, p.output_channels()) : 1;
  policy.images   = policy.columns < f.out.width ? 1 : of(wanted.images, p.batch);
  policy.part     = std::max(of(wanted.part, p.batch) / policy.images, 1) * policy.images;
  policy.down     = whole ? of(wanted.down, f.walk.steps()) : 1;
  count_threads(f, policy);
  policy.threads = std::max(policy.threads, 32 * wanted.warps);
  REQUIRE(policy.threads <= dwconv::window_filter_threads);
  dwconv::planning::fill_window_filter(plan, policy);
  REQUIRE(plan.shared_bytes <= plan.device.shared_bytes_per_block);
  return plan;
}

/// The kernel of one filter and stride, its chunks moved in a given way.
template <typename Taps, typename Stride, mover How, bool Dilated = false>
struct mover_door {
  std::optional<forced_share> share{};

  template <typename T>
  [[nodiscard]] dwconv::backward_filter_plan plan(conv2d_problem const& p) const
  {
    return share ? forced_plan<T>(p, *share)
                 : dwconv::make_backward_filter_plan<T>(p, 0, kernel_family::window);
  }

  template <typename T, typename Gradient>
  [[nodiscard]] status operator()(conv2d_problem const& problem,
                                  dwconv::backward_filter_tensors<T, Gradient> const& tensors,
                                  dwconv::workspace const& scratch, cudaStream_t stream) const
  {
    using config       = dwconv::window_filter_config<T, Taps, Stride, How, Dilated>;
    using sum          = dwconv::sum_of<T>;
    auto const planned = plan<T>(problem);
    if (!planned.outcome.ok()) { return planned.outcome; }
    sum* const partial = static_cast<sum*>(scratch.data);
    dwconv::launch_shape const shape{.grid         = dim3(static_cast<unsigned>(planned.blocks)),
                                     .block        = dim3(static_cast<unsigned>(planned.threads)),
                                     .shared_bytes = static_cast<unsigned>(planned.shared_bytes)};
    typename config::params const params{problem, tensors.x, tensors.dy, partial, planned.window};
    cudaError_t const first =
      dwconv::launch(&dwconv::window_filter_kernel<config>, shape, stream, params);
    cudaError_t const second = dwconv::dispatch::launch_add_splits(
      dwconv::add_splits_params<sum, Gradient>{partial, tensors.dfilter, filter_elements(problem),
                                               split_count(planned), dwconv::update::overwrite},
      stream);
    return first == cudaSuccess && second == cudaSuccess
             ? status{}
             : status{.code = dwconv::status_code::cuda_error, .argument = "launch"};
  }
};

template <typename T, typename Door>
[[nodiscard]] agreement agrees(conv2d_problem const& p, Door const& door, misalignment misalign)
{
  auto const c = integer_gradients<T>(p, 31);
  device_buffer<T> x{c.x, misalign.x}, dy{c.dy, misalign.y};
  device_buffer<T> dfilter{filter_size(p), poison{}, misalign.filter};
  exact_workspace<T> scratch{door.template plan<T>(p)};
  dwconv::backward_filter_tensors<T> const tensors{x.data(), dy.data(), dfilter.data()};
  status const outcome     = door(p, tensors, scratch.get(), test_stream());
  cudaError_t const device = synchronize();
  bool const rest = x.canaries_intact() && dy.canaries_intact() && dfilter.canaries_intact() &&
                    scratch.canaries_intact();
  agreement const well = ended_well<T>(p, {outcome, device, dfilter.read(), rest});
  if (!well) { return well; }
  return compare_gradient<T>("dfilter", p, dwconv_reference::backward_filter(p, c.x, c.dy),
                             dfilter.read().data(), tolerance::none);
}

template <typename T, typename Taps, typename Stride>
void check_each_mover(conv2d_problem const& p, std::optional<forced_share> const& share = {})
{
  INFO((share ? "forced" : "planned"));
  for (std::size_t const start : {0, 1, 5}) {
    misalignment const misalign{start, start / 2, 2 * start};
    CHECK(agrees<T>(p, mover_door<Taps, Stride, mover::vectors>{share}, misalign));
    CHECK(agrees<T>(p, mover_door<Taps, Stride, mover::async>{share}, misalign));
    CHECK(agrees<T>(p, mover_door<Taps, Stride, mover::bulk>{share}, misalign));
  }
}

struct counts {
  std::int64_t batch = 1, channels = 1, multiplier = 1;
};

/// A problem of a compiled filter and stride whose dy is `out`.
[[nodiscard]] conv2d_problem problem_with_output(extent2 taps, extent2 stride, extent2 out,
                                                 padding2 pad = {}, counts const& n = {})
{
  return {.batch      = n.batch,
          .channels   = n.channels,
          .multiplier = n.multiplier,
          .input      = {(out.height - 1) * stride.height + taps.height - pad.top - pad.bottom,
                         (out.width - 1) * stride.width + taps.width - pad.left - pad.right},
          .filter     = taps,
          .stride     = stride,
          .pad        = pad};
}

/// Whole planes, strips and windows of columns, as planned.
template <typename T, typename Taps, typename Stride>
void check_planned()
{
  auto const with = [](extent2 out, padding2 pad = {}, counts const& n = {}) {
    return problem_with_output(Taps::extent, Stride::extent, out, pad, n);
  };
  std::int64_t const h = Taps::extent.height, w = Taps::extent.width;
  padding2 const some{(h - 1) / 2, h / 2, w / 2, (w - 1) / 2};
  check_each_mover<T, Taps, Stride>(
    with({5, 7}, some, {.batch = 3, .channels = 11, .multiplier = 2}));
  check_each_mover<T, Taps, Stride>(with({37, 101}, some, {.batch = 2}));
  check_each_mover<T, Taps, Stride>(with({14, 14}, some, {.batch = 5, .channels = 3}));
  check_each_mover<T, Taps, Stride>(with({9, 945}, {0, 0, w - 1, 0}));
  check_each_mover<T, Taps, Stride>(with({1, 1}, {}, {.batch = 5, .channels = 13}));
}

/// Forced tiles of little problems: chunks that begin anywhere, strips, windows, threads below each
/// other, channels that share x, images left over, warps to spare.
template <typename T, typename Taps, typename Stride>
void check_forced()
{
  auto const with = [](extent2 out, padding2 pad, counts const& n) {
    return problem_with_output(Taps::extent, Stride::extent, out, pad, n);
  };
  std::int64_t const h = Taps::extent.height, w = Taps::extent.width;
  auto const plain =
    with({19, 13}, {(h - 1) / 2, h / 2, w / 2, 0}, {.batch = 5, .channels = 2, .multiplier = 3});
  // Padding far above and below, where steps have no x.
  auto const below = with({24, 9}, {11, 4, 0, w / 2}, {.batch = 2, .channels = 3});
  auto const flat  = with({1, 41}, {}, {.batch = 3, .channels = 5});
  check_each_mover<T, Taps, Stride>(plain, forced_share{.channels = 4, .images = 2, .down = 3});
  check_each_mover<T, Taps, Stride>(
    plain, forced_share{.channels = 5, .part = 2, .warps = 3, .stages = 1});
  check_each_mover<T, Taps, Stride>(plain, forced_share{.images = 3, .steps = 1, .stages = 3});
  check_each_mover<T, Taps, Stride>(plain, forced_share{.part = 2, .strip = 7, .steps = 2});
  check_each_mover<T, Taps, Stride>(plain, forced_share{.columns = 6, .steps = 2});
  check_each_mover<T, Taps, Stride>(plain,
                                    forced_share{.part = 3, .columns = 9, .strip = 5, .warps = 2});
  check_each_mover<T, Taps, Stride>(below, forced_share{.channels = 2, .images = 2, .down = 5});
  check_each_mover<T, Taps, Stride>(below,
                                    forced_share{.images = 2, .strip = 4, .steps = 1, .stages = 1});
  check_each_mover<T, Taps, Stride>(below, forced_share{.columns = 4, .strip = 9, .steps = 1});
  check_each_mover<T, Taps, Stride>(flat, forced_share{.channels = 2, .images = 2, .stages = 3});
  check_each_mover<T, Taps, Stride>(flat, forced_share{.columns = 17});
}

/// The same door for a kernel of every compiled filter.
template <typename T, std::size_t Shape = 0, typename Visit>
void for_each_kernel(Visit const& visit)
{
  if constexpr (Shape < dwconv::window_filter_shapes.size()) {
    constexpr auto shape = dwconv::window_filter_shapes[Shape];
    visit(dwconv::taps<shape.taps.height, shape.taps.width>{},
          dwconv::stride<shape.stride.height, shape.stride.width>{});
    for_each_kernel<T, Shape + 1>(visit);
  }
}

/// The door's answer in the window family, on integers bit for bit or within the bound.
template <typename T>
[[nodiscard]] agreement window_agrees(gradient_case<T> const& c, tolerance t,
                                      misalignment misalign = {})
{
  auto const plan = dwconv::make_backward_filter_plan<T>(c.problem, 0, kernel_family::window);
  auto const a    = run_filter(c, filter_door{.family = kernel_family::window}, misalign);
  if (agreement const well = ended_well(c.problem, a); !well) { return well; }
  return compare_gradient<T>("dfilter", c.problem,
                             dwconv_reference::backward_filter(c.problem, c.x, c.dy),
                             a.gradient.data(), t, longest_chain(plan) + 1);
}

}  // namespace

TEMPLATE_TEST_CASE("every kernel of a filter sums exactly, through the door", "[window_filter]",
                   float, double, __half, __nv_bfloat16)
{
  int kernels = 0;
  for (auto const& shape : dwconv::window_filter_shapes) {
    int reached = 0;
    for (auto const width : {1, 6, 7, 8, 14, 30, 113}) {
      for (auto const height : {1, 5, 20}) {
        std::int64_t const h = shape.taps.height, w = shape.taps.width;
        auto const p = problem_with_output(shape.taps, shape.stride, {height, width},
                                           {(h - 1) / 2, (h - 1) / 2, (w - 1) / 2, (w - 1) / 2},
                                           {.batch = 3, .channels = 4});
        if (!dwconv::validate(p).ok()) { continue; }
        ++reached;
        CHECK(window_agrees(integer_gradients<TestType>(p, 5), tolerance::none));
        CHECK(window_agrees(real_gradients<TestType>(p, 5), tolerance::bound,
                            misalignment{static_cast<std::size_t>(width % 3)}));
      }
    }
    CAPTURE(shape.taps.height, shape.taps.width, shape.stride.height, reached);
    kernels += reached > 0;
  }
  CHECK(kernels == static_cast<int>(dwconv::window_filter_shapes.size()));
}

TEST_CASE("every mover brings every chunk of a gradient's sum: planned tiles", "[window_filter]")
{
  check_planned<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
  check_planned<__nv_bfloat16, dwconv::taps<3, 3>, dwconv::stride<2, 2>>();
  check_planned<double, dwconv::taps<5, 5>, dwconv::stride<1, 1>>();
  check_planned<__half, dwconv::taps<7, 7>, dwconv::stride<1, 1>>();
  check_planned<float, dwconv::taps<3, 1>, dwconv::stride<1, 1>>();
}

TEST_CASE("every mover brings every chunk of a gradient's sum: forced tiles", "[window_filter]")
{
  for_each_kernel<float>(
    []<typename Taps, typename Stride>(Taps, Stride) { check_forced<float, Taps, Stride>(); });
  check_forced<__nv_bfloat16, dwconv::taps<3, 3>, dwconv::stride<2, 2>>();
  check_forced<double, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
  check_forced<__half, dwconv::taps<5, 5>, dwconv::stride<2, 2>>();
}

namespace {

/// A dilated problem, as planned, by each mover.
template <typename T>
void check_dilated(conv2d_problem const& p)
{
  using filter = dwconv::taps<3, 3>;
  using steps  = dwconv::stride<1, 1>;
  misalignment const misalign{1, 0, 3};
  CHECK(agrees<T>(p, mover_door<filter, steps, mover::vectors, true>{}, misalign));
  CHECK(agrees<T>(p, mover_door<filter, steps, mover::async, true>{}, misalign));
  CHECK(agrees<T>(p, mover_door<filter, steps, mover::bulk, true>{}, misalign));
  CHECK(window_agrees(integer_gradients<T>(p, 4), tolerance::none));
  CHECK(window_agrees(real_gradients<T>(p, 4), tolerance::bound, misalign));
}

[[nodiscard]] conv2d_problem dilated_problem(extent2 input, extent2 dilation, padding2 pad,
                                             counts const& n = {})
{
  return {.batch      = n.batch,
          .channels   = n.channels,
          .multiplier = n.multiplier,
          .input      = input,
          .filter     = {3, 3},
          .dilation   = dilation,
          .pad        = pad};
}

}  // namespace

TEMPLATE_TEST_CASE("dilated filters: phases of rows, segments of them, several a thread",
                   "[window_filter]", float, double, __half, __nv_bfloat16)
{
  check_dilated<TestType>(
    dilated_problem({17, 19}, {2, 2}, {2, 2, 2, 2}, {.batch = 3, .channels = 4}));
  check_dilated<TestType>(dilated_problem({40, 23}, {12, 5}, {12, 12, 5, 5},
                                          {.batch = 2, .channels = 3, .multiplier = 2}));
  check_dilated<TestType>(dilated_problem({9, 70}, {24, 20}, {24, 24, 20, 20}, {.batch = 2}));
  check_dilated<TestType>(dilated_problem({75, 30}, {3, 1}, {0, 5, 1, 0}, {.batch = 2}));
  check_dilated<TestType>(
    dilated_problem({11, 12}, {5, 5}, {7, 3, 1, 9}, {.batch = 5, .channels = 7}));
  check_dilated<TestType>(dilated_problem({30, 40}, {1, 3}, {1, 1, 60, 2}));
  // More images than lanes, and phases with rows of x only.
  check_dilated<TestType>(
    dilated_problem({5, 5}, {1, 2}, {1, 1, 2, 2}, {.batch = 40, .channels = 1}));
  check_dilated<TestType>(dilated_problem({100, 30}, {49, 2}, {0, 0, 2, 2}));
}

TEST_CASE("every mover, whatever runs first and whenever copies of a sum land", "[window_filter]")
{
  under_every_schedule([] {
    check_forced<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
    check_forced<__half, dwconv::taps<3, 3>, dwconv::stride<2, 2>>();
    check_dilated<float>(
      dilated_problem({40, 23}, {12, 5}, {12, 12, 5, 5}, {.batch = 2, .channels = 3}));
  });
}
