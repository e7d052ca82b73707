// SPDX-License-Identifier: Apache-2.0
// Each way of moving a tile, and every order of threads that the emulation knows, gives the same
// bits.
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::mover;
using dwconv::status;

namespace {

/// The window kernel of one instance, its tiles moved in a given way.
template <typename Taps, typename Stride, mover How>
struct mover_door {
  template <typename T>
  [[nodiscard]] status operator()(conv2d_problem const& problem,
                                  dwconv::forward_tensors<T> const& tensors,
                                  cudaStream_t stream) const
  {
    using config    = dwconv::window_config<T, Taps, Stride, How>;
    using identity  = dwconv::epilogue::identity;
    auto const plan = dwconv::make_forward_plan<T>(problem, 0, dwconv::kernel_family::window);
    if (!plan.outcome.ok()) { return plan.outcome; }
    dwconv::launch_shape const shape{.grid         = dim3(static_cast<unsigned>(plan.blocks)),
                                     .block        = dim3(static_cast<unsigned>(plan.threads)),
                                     .shared_bytes = static_cast<unsigned>(plan.shared_bytes)};
    dwconv::window_params<T> const params{problem, tensors, plan.window,
                                          config::columns_per_thread};
    cudaError_t const error = dwconv::launch(&dwconv::window_forward_kernel<config, identity>,
                                             shape, stream, params, identity{});
    return error == cudaSuccess
             ? status{}
             : status{.code = dwconv::status_code::cuda_error, .cuda = error, .argument = "launch"};
  }
};

/// Whole planes, strips, windows of columns; runs that begin and end anywhere.
template <typename Taps, typename Stride>
std::vector<conv2d_problem> problems_for()
{
  dwconv::compiled_shape const shape{dwconv::kernel_family::window, Taps::extent, Stride::extent};
  return {
    problem_with_output(shape, {5, 7}, {2, 1, 1, 2}, {.batch = 3, .channels = 11, .multiplier = 2}),
    problem_with_output(shape, {37, 101}, {1, 1, 1, 1}, {.batch = 2}),
    problem_with_output(shape, {17, 645}, {1, 0, 2, 1}),
    problem_with_output(shape, {1, 1}, {}, {.batch = 5, .channels = 13}),
    problem_with_output(shape, {60, 100}, {40, 0, 0, 3})};
}

template <typename T, typename Taps, typename Stride>
void check_movers(bool every_schedule)
{
  for (conv2d_problem const& p : problems_for<Taps, Stride>()) {
    auto const check = [&] {
      for (std::size_t const start : {0, 1, 5}) {
        misalignment const misalign{start, start / 2, 2 * start};
        CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::vectors>{}));
        CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::async>{}));
        CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::bulk>{}));
      }
    };
    if (every_schedule) {
      under_every_schedule(check);
    } else {
      check();
    }
  }
}

}  // namespace

TEST_CASE("every mover gives the direct family's bits: small filters", "[window_movers]")
{
  using taps = dwconv::taps<3, 3>;
  check_movers<float, taps, dwconv::stride<1, 1>>(false);
  check_movers<double, taps, dwconv::stride<1, 1>>(false);
  check_movers<__nv_bfloat16, taps, dwconv::stride<2, 2>>(false);
}

TEST_CASE("every mover gives the direct family's bits: large filters", "[window_movers]")
{
  check_movers<__half, dwconv::taps<7, 7>, dwconv::stride<1, 1>>(false);
  check_movers<float, dwconv::taps<5, 5>, dwconv::stride<2, 2>>(false);
}

TEST_CASE("every mover, whatever runs first and whenever copies land", "[window_movers]")
{
  check_movers<__half, dwconv::taps<3, 3>, dwconv::stride<1, 1>>(true);
}
