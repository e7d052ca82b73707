// SPDX-License-Identifier: Apache-2.0
// The window kernels for filters known at run time: the direct family's bits for every filter,
// stride, dilation and padding they take.
#include <array>
#include <set>

#include "forward/epilogue_case.hpp"
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;

namespace {

/// One kind of kernel and no other.
template <typename Instance>
struct instance_door {
  using instances = dwconv::instance_list<Instance>;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    return dwconv::run<T, instances>(dwconv::make_forward_plan<T, instances>(problem, 0), tensors,
                                     stream);
  }
};
using runtime_window_door = instance_door<dwconv::runtime_window_instance>;
using direct_door = instance_door<dwconv::direct_instance<dwconv::any_taps, dwconv::any_stride>>;

template <typename T, typename Door = runtime_window_door>
[[nodiscard]] agreement right(conv2d_problem const& p, misalignment misalign, Door const& door = {})
{
  if (dwconv::runtime_window_row{p, 16}.lattices == 1) {
    return same_as_direct<T>(p, misalign, door, direct_door{});
  }
  agreement const exactly = agrees(integer_case<T>(p), tolerance::none, door, misalign);
  return exactly ? agrees(real_case<T>(p), tolerance::bound, door, misalign) : exactly;
}

/// The direct family's bits; where the taps of a row lie on several lattices they are added in
/// another order, and the reference has to do.
[[nodiscard]] agreement same_bits_as_direct(std::size_t which, conv2d_problem const& problem,
                                            misalignment misalign = {})
{
  switch (which % 4) {
    case 0: return right<float>(problem, misalign);
    case 1: return right<__half>(problem, misalign);
    case 2: return right<double>(problem, misalign);
    default: return right<__nv_bfloat16>(problem, misalign);
  }
}

[[nodiscard]] dwconv::forward_plan plan_of(std::size_t which, conv2d_problem const& p)
{
  using instances = runtime_window_door::instances;
  switch (which % 4) {
    case 0: return dwconv::make_forward_plan<float, instances>(p, 0);
    case 1: return dwconv::make_forward_plan<__half, instances>(p, 0);
    case 2: return dwconv::make_forward_plan<double, instances>(p, 0);
    default: return dwconv::make_forward_plan<__nv_bfloat16, instances>(p, 0);
  }
}

/// A problem with a padding of half the filter's span.
[[nodiscard]] conv2d_problem centred(plane_counts const& counts, extent2 input, extent2 filter,
                                     extent2 stride = {1, 1}, extent2 dilation = {1, 1})
{
  std::int64_t const down   = dilation.height * (filter.height - 1);
  std::int64_t const across = dilation.width * (filter.width - 1);
  return {.batch      = counts.batch,
          .channels   = counts.channels,
          .multiplier = counts.multiplier,
          .input      = input,
          .filter     = filter,
          .stride     = stride,
          .dilation   = dilation,
          .pad        = {down / 2, down - down / 2, across / 2, across - across / 2}};
}

}  // namespace

TEST_CASE("filters of every proportion", "[runtime_window]")
{
  extent2 const filters[] = {{1, 1},  {1, 2}, {1, 3},  {1, 4}, {1, 5}, {1, 8},  {1, 31}, {2, 1},
                             {3, 1},  {7, 1}, {8, 1},  {8, 2}, {2, 2}, {3, 5},  {4, 4},  {5, 9},
                             {8, 5},  {3, 7}, {6, 3},  {7, 4}, {6, 2}, {5, 3},  {8, 6},  {1, 16},
                             {1, 17}, {4, 8}, {3, 15}, {7, 7}, {9, 1}, {16, 1}, {9, 3},  {12, 2}};
  extent2 const inputs[]  = {{1, 1}, {7, 7}, {9, 33}, {40, 61}, {23, 130}};
  std::size_t which       = 0;
  for (extent2 const filter : filters) {
    for (extent2 const input : inputs) {
      CHECK(same_bits_as_direct(which, centred({2, 3}, input, filter)));
      ++which;
    }
  }
}

TEST_CASE("every number of rows of sums in every type, with and without a stride along rows",
          "[runtime_window]")
{
  std::set<std::array<int, 3>> reached;
  for (std::size_t which = 0; which < 4; ++which) {
    for (std::int64_t height = 1; height <= 16; ++height) {
      for (std::int64_t const across : {1, 2}) {
        auto const p =
          centred({1, 2}, {height % 5 + 20, 19}, {height, 1 + height % 6}, {1, across});
        CHECK(same_bits_as_direct(which, p));
        auto const plan = plan_of(which, p);
        CHECK(plan.window.number ==
              dwconv::runtime_window_number(p, static_cast<int>(size_in_bytes(plan.element))));
        reached.insert(
          {static_cast<int>(which), dwconv::runtime_window_walk{p}.live, static_cast<int>(across)});
      }
    }
  }
  CHECK(reached.size() == 4 * 16 * 2);
}

TEST_CASE("every number of taps in a run", "[runtime_window]")
{
  std::size_t which = 0;
  for (std::int64_t const height : {1, 3, 7}) {
    for (std::int64_t width = 1; width <= 34; ++width, ++which) {
      CHECK(same_bits_as_direct(which, centred({1, 2}, {9, 41}, {height, width})));
      CHECK(same_bits_as_direct(which, centred({1, 2}, {9, 41}, {height, width}, {1, 3})));
      CHECK(
        same_bits_as_direct(which + 1, centred({1, 2}, {9, 41}, {height, width}, {1, 1}, {1, 2})));
    }
  }
}

TEST_CASE("strides of 1 to 5, alike and mixed", "[runtime_window]")
{
  std::size_t which = 0;
  dice random{21};
  for (int code = 0; code < 25 * 8; ++code, ++which) {
    extent2 const stride{code % 5 + 1, code / 5 % 5 + 1};
    auto const p =
      centred({1, 2, random.between(1, 2)}, {random.between(1, 40), random.between(1, 40)},
              {random.between(1, 9), random.between(1, 9)}, stride, {1, random.between(1, 6)});
    CHECK(same_bits_as_direct(which + which / 100, p));
  }
}

TEST_CASE("dilations of 1 to 13, where the strides down divide them", "[runtime_window]")
{
  std::size_t which = 0;
  dice random{22};
  for (std::int64_t down = 1; down <= 13; ++down) {
    for (std::int64_t across = 1; across <= 13; ++across, ++which) {
      std::int64_t const rows    = random.between(1, 5);
      std::int64_t const divides = rows == 1 || down == 1 ? random.between(1, 4)
                                   : down % 3 == 0        ? 3
                                   : down % 2 == 0        ? 2
                                                          : 1;
      for (std::int64_t const stride : {std::int64_t{1}, divides}) {
        auto const p =
          centred({1, 2}, {random.between(1, 40), random.between(1, 40)},
                  {rows, random.between(1, 5)}, {stride, random.between(1, 3)}, {down, across});
        CHECK(same_bits_as_direct(which, p));
      }
    }
  }
  CHECK(same_bits_as_direct(0, centred({1, 1}, {65, 65}, {3, 3}, {1, 1}, {12, 12})));
  CHECK(same_bits_as_direct(2, centred({1, 2}, {65, 65}, {3, 3}, {1, 1}, {24, 36})));
  CHECK(same_bits_as_direct(1, centred({1, 1}, {40, 700}, {3, 3}, {1, 1}, {2, 2})));
  CHECK(same_bits_as_direct(0, centred({1, 1}, {30, 900}, {5, 2}, {1, 1}, {3, 1})));
  // Windows of columns, a chunk of which has rows of some threads only.
  CHECK(same_bits_as_direct(0, centred({1, 1}, {60, 2000}, {3, 3}, {1, 1}, {20, 20})));
  CHECK(same_bits_as_direct(1, centred({1, 1}, {60, 2100}, {3, 2}, {6, 1}, {18, 5})));
}

TEST_CASE("rows dilated beside their stride are declined", "[runtime_window]")
{
  auto const plan = plan_of(0, centred({1, 1}, {20, 20}, {3, 3}, {2, 1}, {3, 1}));
  CHECK_FALSE(plan.outcome.ok());
  CHECK(plan.verdicts[0].reason == std::string{"filter and stride leave out different rows"});
}

TEST_CASE("paddings of nothing to 64 columns, and more rows than the filter has",
          "[runtime_window]")
{
  std::size_t which = 0;
  std::size_t tried = 0;
  dice random{23};
  for (int i = 0; i < 400; ++i, ++which) {
    conv2d_problem const p{.batch      = random.between(1, 3),
                           .channels   = random.between(1, 3),
                           .multiplier = random.between(1, 2),
                           .input      = {random.between(1, 12), random.between(1, 30)},
                           .filter     = {random.between(1, 8), random.between(1, 12)},
                           .stride     = {random.between(1, 3), random.between(1, 3)},
                           .dilation   = {1, random.between(1, 3)},
                           .pad        = {random.between(0, 30), random.between(0, 30),
                                          random.between(0, 64), random.between(0, 64)}};
    if (!dwconv::validate(p).ok() || y_size(p) > 4000) { continue; }
    CHECK(same_bits_as_direct(which, p));
    ++tried;
  }
  CHECK(tried > 200);
}

namespace {
/// A tile of the test's own: cut down to y's size; no steps stand for one chunk, no rows of a
/// thread for as many as may be.
struct runtime_tile_door {
  dwconv::tile_shape tile;
  int rows_per_thread = 0;

  template <typename T>
  [[nodiscard]] dwconv::status operator()(conv2d_problem const& p,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    namespace tiles     = dwconv::runtime_window_tiles;
    using instances     = runtime_window_door::instances;
    constexpr int bytes = static_cast<int>(sizeof(T));
    auto plan           = dwconv::make_forward_plan<T, instances>(p, 0);
    if (!plan.outcome.ok()) { return plan.outcome; }
    tiles::view const view{p, bytes};
    dwconv::window_policy& policy = plan.window;
    policy.tile                   = tile;
    policy.tile.rows    = static_cast<int>(std::min<std::int64_t>(tile.rows, view.out.height));
    policy.tile.columns = static_cast<int>(std::min<std::int64_t>(tile.columns, view.out.width));
    if (policy.tile.columns < view.out.width) { policy.tile.planes = 1; }
    auto const most = static_cast<int>(dwconv::geometry::steps_for(p, policy.tile.rows));
    if (tile.steps == 0 || tile.steps > most) { policy.tile.steps = most; }
    bool const one_chunk   = policy.tile.steps == most;
    policy.rows_per_thread = static_cast<int>(tiles::rows_of_residue(view, policy.tile.rows));
    if (one_chunk && rows_per_thread > 0) {
      policy.rows_per_thread = std::min(policy.rows_per_thread, rows_per_thread);
    }
    while (policy.tile.planes > 1 &&
           tiles::pieces_of(view, policy) > dwconv::runtime_window_threads) {
      --policy.tile.planes;
    }
    policy.threads = static_cast<int>((tiles::pieces_of(view, policy) + 31) / 32 * 32);
    REQUIRE(policy.threads <= dwconv::runtime_window_threads);
    plan.threads      = policy.threads;
    plan.blocks       = dwconv::lay_out_tile(p, policy.tile, bytes, 0).tiles;
    plan.shared_bytes = static_cast<int>(tiles::shared_bytes(view, policy.tile));
    REQUIRE(plan.shared_bytes <= plan.device.shared_bytes_per_block);
    return dwconv::run<T, instances>(plan, tensors, stream);
  }
};

[[nodiscard]] agreement same_bits_as_direct(std::size_t which, conv2d_problem const& p,
                                            runtime_tile_door door)
{
  door.tile.steps *= which % 4 == 0 ? 4 : which % 4 == 2 ? 2 : 8;
  switch (which % 4) {
    case 0: return right<float>(p, {}, door);
    case 1: return right<__half>(p, {}, door);
    case 2: return right<double>(p, {}, door);
    default: return right<__nv_bfloat16>(p, {}, door);
  }
}
}  // namespace

TEST_CASE("run-time windows in tiles of every kind", "[runtime_window]")
{
  struct {
    extent2 filter, stride, dilation;
  } const shapes[] = {{{3, 5}, {1, 1}, {1, 1}}, {{3, 3}, {1, 1}, {2, 3}}, {{5, 2}, {1, 1}, {3, 1}},
                      {{2, 9}, {1, 1}, {1, 1}}, {{4, 4}, {2, 2}, {1, 1}}, {{3, 3}, {2, 1}, {4, 2}},
                      {{9, 1}, {1, 1}, {1, 1}}, {{1, 7}, {1, 4}, {1, 1}}, {{7, 3}, {1, 1}, {1, 1}}};
  dice random{31};
  std::size_t which = 0;
  for (auto const& shape : shapes) {
    for (int again = 0; again < 24; ++again, ++which) {
      auto const p       = centred({random.between(1, 3), 3, random.between(1, 2)},
                                   {random.between(1, 50), random.between(1, 60)}, shape.filter,
                                   shape.stride, shape.dilation);
      auto const at_most = [&](int most) { return static_cast<int>(random.between(1, most)); };
      // At most 32 rows of a window of columns are copied, at most 256 threads of a piece each.
      bool const whole  = again % 3 != 0;
      bool const chunks = again % 2 == 0;
      runtime_tile_door door{.tile            = {.planes  = at_most(5),
                                                 .rows    = chunks ? at_most(60) : at_most(whole ? 10 : 3),
                                                 .columns = whole ? 60 : at_most(20),
                                                 .steps   = chunks ? at_most(2) : 0},
                             .rows_per_thread = at_most(4)};
      CHECK(same_bits_as_direct(which, p, door));
    }
  }
}

TEST_CASE("tiles of many planes, several chunks, and windows of columns", "[runtime_window]")
{
  std::size_t which = 0;
  auto const check  = [&](conv2d_problem const& p) {
    for (int again = 0; again < 2; ++again, ++which) { CHECK(same_bits_as_direct(which, p)); }
  };
  for (std::int64_t multiplier = 1; multiplier <= 3; ++multiplier) {
    check(centred({3, 37, multiplier}, {6, 7}, {3, 5}));
    check(centred({41, 3, multiplier}, {3, 3}, {2, 2}));
  }
  check(centred({300, 2, 2}, {7, 7}, {3, 5}));
  check(centred({1, 2}, {40, 600}, {3, 1}));
  check(centred({1, 2}, {41, 600}, {3, 5}));
  check(centred({1, 1}, {37, 2000}, {4, 3}));
  check(centred({1, 1}, {50, 1001}, {8, 2}));
  check(centred({1, 1}, {60, 1001}, {3, 3}, {3, 2}));
  check(centred({1, 3}, {1, 4096}, {1, 4}));
  check(centred({1, 3}, {1, 5000}, {1, 31}, {1, 1}, {1, 4}));
  check(centred({2, 2}, {90, 40}, {8, 5}));
  check(centred({2, 2}, {130, 20}, {8, 1}));
  check(centred({2, 2}, {130, 20}, {15, 1}));
}

TEST_CASE("planes of every size up to 16 under a run-time window", "[runtime_window]")
{
  std::size_t which = 0;
  for (std::int64_t height = 1; height <= 16; ++height) {
    for (std::int64_t width = 1; width <= 16; ++width, ++which) {
      auto const stride = static_cast<std::int64_t>(which % 3 + 1);
      CHECK(
        same_bits_as_direct(which / 3, centred({2, 3}, {height, width}, {3, 5}, {stride, stride})));
    }
  }
}

TEST_CASE("tensors under a run-time window that start at any element", "[runtime_window]")
{
  for (std::size_t start = 0; start < 8; ++start) {
    misalignment const misalign{start, (start * 3 + 1) % 8, (start * 5 + 2) % 8};
    CHECK(same_bits_as_direct(start, centred({2, 3}, {11, 19}, {8, 5}), misalign));
    CHECK(
      same_bits_as_direct(start + 1, centred({2, 3}, {11, 19}, {3, 3}, {1, 2}, {2, 1}), misalign));
    CHECK(same_bits_as_direct(start, centred({1, 2}, {18, 501}, {4, 3}), misalign));
  }
}

TEST_CASE(
  "a NaN or infinity in x reaches the outputs of a run-time window that it reaches directly",
  "[runtime_window]")
{
  for (conv2d_problem const& p :
       {centred({2, 2}, {9, 11}, {5, 6}), centred({2, 2}, {9, 11}, {3, 3}, {1, 1}, {2, 3}),
        centred({2, 2}, {9, 11}, {4, 4}, {3, 2}), centred({2, 2}, {9, 11}, {8, 1})}) {
    for (float const value : {NAN, INFINITY}) {
      for (std::size_t at = 0; at < 4 * 99; at += 5) {
        forward_case<float> c = integer_case<float>(p);
        for (float& w : c.filter) { w = w == 0 ? 1 : w; }
        c.x[at]            = value;
        auto const runtime = output_of(c, runtime_window_door{});
        auto const direct  = output_of(c, direct_door{});
        int wrong          = runtime.size() == direct.size() ? 0 : 1;
        for (std::size_t i = 0; i < direct.size() && wrong == 0; ++i) {
          bool const both_nan = std::isnan(runtime[i]) && std::isnan(direct[i]);
          wrong += !both_nan && runtime[i] != direct[i];
        }
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("the run-time door slides a window where memory is waited for", "[runtime_window]")
{
  for (conv2d_problem const& p :
       {centred({2, 3}, {20, 30}, {3, 5}), centred({2, 3}, {20, 30}, {3, 3}, {1, 1}, {2, 2}),
        centred({2, 3}, {20, 30}, {3, 3}, {3, 3}), centred({2, 3}, {7, 7}, {1, 1})}) {
    auto const plan = dwconv::make_forward_plan<float>(p, 0);
    CHECK(plan.family == dwconv::kernel_family::window);
    CHECK(plan.compiled.slides);
    CHECK(agrees_with_reference<float>(p));
  }
}

namespace {
/// Tells apart any two outputs, by where they are said to be.
struct tells_place {
  __device__ float operator()(float, dwconv::output_coordinate const& at) const
  {
    return static_cast<float>(at.offset % 1000 +
                              1000 * (at.row + at.column + at.channel + at.batch));
  }
};
}  // namespace

TEST_CASE("a stage of a run-time window is told where in y it is", "[runtime_window]")
{
  for (conv2d_problem const& p :
       {centred({3, 5, 2}, {6, 7}, {3, 5}), centred({2, 3, 2}, {40, 60}, {3, 4}, {1, 1}, {3, 5}),
        centred({1, 2}, {40, 700}, {2, 3})}) {
    REQUIRE(dwconv::make_forward_plan<float>(p, 0).compiled.slides);
    auto const y = output_of(integer_case<float>(p), door_with{tells_place{}});
    REQUIRE(y.size() == y_size(p));
    int wrong = 0;
    for_each_output(p, [&](place const& at) {
      wrong +=
        y[at.offset] != static_cast<float>(static_cast<std::int64_t>(at.offset) % 1000 +
                                           1000 * (at.row + at.column + at.channel + at.batch));
    });
    CHECK(wrong == 0);
  }
}
