// SPDX-License-Identifier: Apache-2.0
// dx by the window family's own kernels: every filter and stride that is compiled, one filter a
// channel and several, each mover, planned tiles and forced ones.
#include "backward/scenario.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::kernel_family;
using dwconv::mover;
using dwconv::status;
using dwconv::window_policy;

namespace {

/// The kernel of one instance with a piece and mover of the test's own, and perhaps a tile.
template <typename Taps, typename Stride, bool Multiplied, mover How>
struct spread_door {
  dwconv::tile_shape tile{};  ///< No rows stand for the planned tile.
  int rows_per_thread = 0;

  template <typename T>
  [[nodiscard]] status operator()(conv2d_problem const& p,
                                  dwconv::backward_data_tensors<T> const& tensors,
                                  cudaStream_t stream) const
  {
    auto plan = dwconv::make_backward_data_plan<T, dwconv::instances_for<Taps, Stride>>(
      p, 0, kernel_family::window);
    REQUIRE(plan.outcome.ok());
    REQUIRE(plan.spreads);
    window_policy& policy = plan.window;
    int const groups      = policy.piece.columns;
    if (tile.rows > 0) {
      auto const rows     = dwconv::spread_rows(p);
      policy.tile         = tile;
      policy.tile.rows    = static_cast<int>(std::min<std::int64_t>(tile.rows, rows.groups));
      policy.tile.columns = static_cast<int>(p.input.width);
      int const steps     = policy.tile.rows + static_cast<int>(rows.ramp);
      bool const one      = tile.steps == 0 || tile.steps >= steps;
      if (one) { policy.tile.steps = steps; }
      policy.rows_per_thread =
        one && rows_per_thread > 0 ? std::min(rows_per_thread, policy.tile.rows) : policy.tile.rows;
      REQUIRE(policy.tile.planes * p.multiplier <= 32);
    }
    auto const down =
      dwconv::geometry::divide_up(policy.tile.rows, policy.rows_per_thread) * policy.tile.planes;
    auto const threads = dwconv::spread_tiles::across(p, groups) * down;
    policy.threads     = static_cast<int>(dwconv::geometry::divide_up(threads, 32) * 32);
    REQUIRE(policy.threads <= dwconv::spread_threads);
    auto const g = dwconv::lay_out_spread(p, policy.tile, sizeof(T), groups);
    dwconv::launch_shape const shape{
      .grid         = dim3(static_cast<unsigned>(g.tiles)),
      .block        = dim3(static_cast<unsigned>(policy.threads)),
      .shared_bytes = static_cast<unsigned>(dwconv::spread_shared_bytes(p, g, sizeof(T)))};
    using config            = dwconv::spread_config<T, Taps, Stride, Multiplied, How>;
    cudaError_t const error = dwconv::launch(&dwconv::window_backward_data_kernel<config>, shape,
                                             stream, dwconv::spread_params<T>{p, tensors, policy});
    return error == cudaSuccess ? status{} : status{.code = dwconv::status_code::cuda_error};
  }
};

template <typename Taps, typename Stride>
[[nodiscard]] conv2d_problem problem_of(dwconv::extent2 input, dwconv::padding2 pad,
                                        std::int64_t channels = 3, std::int64_t multiplier = 1)
{
  return {.batch      = 2,
          .channels   = channels,
          .multiplier = multiplier,
          .input      = input,
          .filter     = Taps::extent,
          .stride     = Stride::extent,
          .pad        = pad};
}

template <typename T, typename Taps, typename Stride>
void check_planned()
{
  for (std::int64_t const multiplier : {1, 2, 5}) {
    if (multiplier == 1 && Stride::extent == dwconv::extent2{1, 1}) { continue; }
    for (conv2d_problem const& p :
         {problem_of<Taps, Stride>({7, 7}, {1, 1, 1, 1}, 5, multiplier),
          problem_of<Taps, Stride>({14, 13}, {0, 2, 3, 0}, 4, multiplier),
          problem_of<Taps, Stride>({30, 61}, {2, 1, 0, 1}, 1, multiplier),
          problem_of<Taps, Stride>({71, 33}, {0, 0, 1, 2}, 2, multiplier),
          // Rows of even length, the columns of threads beginning in the middle of a word.
          problem_of<Taps, Stride>({13, 26}, {1, 1, 1, 2}, 3, multiplier),
          // Rows and columns of dx that no output met, and outputs that met padding only.
          problem_of<Taps, Stride>({8, 10}, {9, 0, 0, 8}, 3, multiplier),
          problem_of<Taps, Stride>({8, 10}, {0, 11, 10, 0}, 3, multiplier)}) {
      INFO(describe(p));
      CHECK(dwconv::make_backward_data_plan<T>(p, 0).spreads);
      CHECK(data_agrees(integer_gradients<T>(p, 51), tolerance::none, data_door{}));
      CHECK(data_agrees(real_gradients<T>(p, 52), tolerance::bound, data_door{}));
      CHECK(data_agrees(integer_gradients<T>(p, 53), tolerance::none, data_door{}, {1, 0, 3}));
    }
  }
}

template <typename T, typename Taps, typename Stride, bool Multiplied, mover How>
void check_forced()
{
  constexpr int least  = 16 / static_cast<int>(sizeof(T));
  using door           = spread_door<Taps, Stride, Multiplied, How>;
  std::int64_t const m = Multiplied ? 3 : 1;
  for (std::size_t const start : {0, 1, 5}) {
    misalignment const misalign{2 * start, start / 2, start};
    auto const check = [&](conv2d_problem const& p, door const& d) {
      INFO(describe(p) << ", tile " << d.tile.planes << "x" << d.tile.rows << ", steps "
                       << d.tile.steps);
      CHECK(data_agrees(integer_gradients<T>(p, 54), tolerance::none, d, misalign));
    };
    auto const tall = problem_of<Taps, Stride>({45, 11}, {1, 0, 2, 1}, 5, m);
    auto const odd  = problem_of<Taps, Stride>({9, 7}, {2, 2, 1, 1}, 7, m);
    auto const even = problem_of<Taps, Stride>({11, 24}, {1, 1, 3, 0}, 3, m);
    check(tall, {});
    check(odd, {});
    check(tall, {{3, 99, 0, least}});
    check(tall, {{1, 8, 0, least}});
    check(tall, {{2, 11, 0, 2 * least}});
    check(tall, {{1, 13, 0, 0}, 4});
    check(odd, {{7, 99, 0, 0}, 2});
    check(odd, {{4, 99, 0, least}});
    check(even, {});
    check(even, {{1, 8, 0, least}});
  }
}

template <typename T, typename Taps, typename Stride, bool Multiplied>
void check_movers()
{
  check_forced<T, Taps, Stride, Multiplied, mover::vectors>();
  check_forced<T, Taps, Stride, Multiplied, mover::async>();
  check_forced<T, Taps, Stride, Multiplied, mover::bulk>();
}

}  // namespace

TEMPLATE_TEST_CASE("dy is spread over dx by every kernel that is compiled", "[spread]", float,
                   double, __half, __nv_bfloat16)
{
  using dwconv::stride;
  using dwconv::taps;
  check_planned<TestType, taps<3, 3>, stride<2, 2>>();
  check_planned<TestType, taps<5, 5>, stride<2, 2>>();
  check_planned<TestType, taps<3, 3>, stride<1, 1>>();
  check_planned<TestType, taps<5, 5>, stride<1, 1>>();
  check_planned<TestType, taps<7, 7>, stride<1, 1>>();
  check_planned<TestType, taps<3, 1>, stride<1, 1>>();
  check_planned<TestType, taps<3, 7>, stride<1, 1>>();
  check_planned<TestType, taps<1, 4>, stride<1, 1>>();
}

TEMPLATE_TEST_CASE("strides spread by every mover, in tiles of every kind", "[spread]", float,
                   __half)
{
  check_movers<TestType, dwconv::taps<3, 3>, dwconv::stride<2, 2>, false>();
  check_movers<TestType, dwconv::taps<5, 5>, dwconv::stride<2, 2>, false>();
}

TEST_CASE("other filters and strides spread as well where they are asked for", "[spread]")
{
  check_movers<double, dwconv::taps<2, 3>, dwconv::stride<3, 2>, false>();
  check_movers<float, dwconv::taps<4, 2>, dwconv::stride<1, 3>, false>();
  check_movers<__half, dwconv::taps<3, 3>, dwconv::stride<3, 3>, false>();
}

TEST_CASE("several filters a channel are summed by every mover", "[spread]")
{
  check_movers<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>, true>();
  check_movers<__nv_bfloat16, dwconv::taps<3, 3>, dwconv::stride<2, 2>, true>();
}
