// SPDX-License-Identifier: Apache-2.0
// Each way of moving a tile, and every order of threads that the emulation knows, gives the same
// bits.
#include "forward/window_case.hpp"

using dwconv::conv2d_problem;
using dwconv::extent2;
using dwconv::mover;
using dwconv::status;

namespace {

/// The window kernel of one instance, its tiles moved in a given way: the planned tiles, or a
/// forced one.
template <typename Taps, typename Stride, mover How>
struct mover_door {
  std::optional<forced_tile> tile{};

  template <typename T>
  [[nodiscard]] status operator()(conv2d_problem const& problem,
                                  dwconv::forward_tensors<T> const& tensors,
                                  cudaStream_t stream) const
  {
    auto const plan = tile
                        ? forced_plan<T>(problem, *tile)
                        : dwconv::make_forward_plan<T>(problem, 0, dwconv::kernel_family::window);
    if (!plan.outcome.ok()) { return plan.outcome; }
    return launch_piece<0>(plan, tensors, stream);
  }

 private:
  template <int Piece, typename T>
  [[nodiscard]] static status launch_piece(dwconv::forward_plan const& plan,
                                           dwconv::forward_tensors<T> const& tensors,
                                           cudaStream_t stream)
  {
    constexpr auto pieces = dwconv::window_pieces(Taps::extent, Stride::extent, sizeof(T));
    if constexpr (Piece < pieces.count) {
      constexpr auto piece = pieces.shapes[Piece];
      using config         = dwconv::window_config<T, Taps, Stride, piece.columns, piece.rows, How>;
      using identity       = dwconv::epilogue::identity;
      if (plan.window.piece != piece) { return launch_piece<Piece + 1>(plan, tensors, stream); }
      dwconv::launch_shape const shape{.grid         = dim3(static_cast<unsigned>(plan.blocks)),
                                       .block        = dim3(static_cast<unsigned>(plan.threads)),
                                       .shared_bytes = static_cast<unsigned>(plan.shared_bytes)};
      dwconv::window_params<T> const params{plan.problem, tensors, plan.window};
      cudaError_t const error = dwconv::launch(&dwconv::window_forward_kernel<config, identity>,
                                               shape, stream, params, identity{});
      return error == cudaSuccess
               ? status{}
               : status{
                   .code = dwconv::status_code::cuda_error, .cuda = error, .argument = "launch"};
    } else {
      return {.code = dwconv::status_code::mismatch, .argument = "piece"};
    }
  }
};

template <typename T, typename Taps, typename Stride>
void check_each_mover(conv2d_problem const& p, std::optional<forced_tile> const& tile = {})
{
  INFO((tile ? describe(*tile) : std::string{"planned tiles"}));
  for (std::size_t const start : {0, 1, 5}) {
    misalignment const misalign{start, start / 2, 2 * start};
    CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::vectors>{tile}));
    CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::async>{tile}));
    CHECK(same_as_direct<T>(p, misalign, mover_door<Taps, Stride, mover::bulk>{tile}));
  }
}

/// Planned tiles: whole planes, strips, windows of columns; runs that begin and end anywhere.
template <typename T, typename Taps, typename Stride>
void check_movers()
{
  dwconv::compiled_shape const shape{dwconv::kernel_family::window, Taps::extent, Stride::extent};
  for (conv2d_problem const& p :
       {problem_with_output(shape, {5, 7}, {2, 1, 1, 2},
                            {.batch = 3, .channels = 11, .multiplier = 2}),
        problem_with_output(shape, {37, 101}, {1, 1, 1, 1}, {.batch = 2}),
        problem_with_output(shape, {17, 945}, {1, 0, 2, 1}),
        problem_with_output(shape, {1, 1}, {}, {.batch = 5, .channels = 13}),
        problem_with_output(shape, {60, 100}, {40, 0, 0, 3})}) {
    check_each_mover<T, Taps, Stride>(p);
  }
}

/// Forced tiles of little problems: planes in chunks, of which some begin in the middle of a
/// channel's outputs; windows of columns in chunks; blocks with warps to spare; one chunk of each.
template <typename T, typename Taps, typename Stride>
void check_movers_of_chunks()
{
  constexpr int least = 16 / static_cast<int>(sizeof(T));
  dwconv::compiled_shape const shape{dwconv::kernel_family::window, Taps::extent, Stride::extent};
  auto const plain = problem_with_output(shape, {29, 13}, {1, 0, 1, 1},
                                         {.batch = 1, .channels = 2, .multiplier = 3});
  auto const below = problem_with_output(shape, {24, 9}, {11, 4, 0, 1}, {.channels = 3});
  auto const flat  = problem_with_output(shape, {1, 21}, {}, {.channels = 5});
  check_each_mover<T, Taps, Stride>(plain, forced_tile{{4, 999, 999, least}});
  check_each_mover<T, Taps, Stride>(plain, forced_tile{{2, 11, 999, least}, {}, 0, 3});
  check_each_mover<T, Taps, Stride>(plain, forced_tile{{1, 999, 6, least}, {}, 0, 2});
  check_each_mover<T, Taps, Stride>(plain, forced_tile{{1, 7, 5, 0}, {}, 3});
  check_each_mover<T, Taps, Stride>(plain, forced_tile{{5, 999, 999, 0}, {}, 6, 4});
  check_each_mover<T, Taps, Stride>(below, forced_tile{{2, 16, 999, least}});
  check_each_mover<T, Taps, Stride>(below, forced_tile{{1, 16, 4, least}});
  check_each_mover<T, Taps, Stride>(flat, forced_tile{{3, 1, 999, least}});
}

}  // namespace

TEST_CASE("every mover gives the direct family's bits: small filters", "[window_movers]")
{
  using taps = dwconv::taps<3, 3>;
  check_movers<float, taps, dwconv::stride<1, 1>>();
  check_movers<double, taps, dwconv::stride<1, 1>>();
  check_movers<__nv_bfloat16, taps, dwconv::stride<2, 2>>();
}

TEST_CASE("every mover gives the direct family's bits: large filters", "[window_movers]")
{
  check_movers<__half, dwconv::taps<7, 7>, dwconv::stride<1, 1>>();
  check_movers<float, dwconv::taps<5, 5>, dwconv::stride<2, 2>>();
}

TEST_CASE("every mover brings chunk after chunk", "[window_movers]")
{
  check_movers_of_chunks<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
  check_movers_of_chunks<double, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
  check_movers_of_chunks<__nv_bfloat16, dwconv::taps<3, 3>, dwconv::stride<2, 2>>();
  check_movers_of_chunks<__half, dwconv::taps<7, 7>, dwconv::stride<1, 1>>();
  check_movers_of_chunks<float, dwconv::taps<5, 5>, dwconv::stride<2, 2>>();
}

TEST_CASE("every mover, whatever runs first and whenever copies land", "[window_movers]")
{
  under_every_schedule([] {
    check_movers<__half, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
    check_movers_of_chunks<__half, dwconv::taps<3, 3>, dwconv::stride<1, 1>>();
    check_movers_of_chunks<float, dwconv::taps<5, 5>, dwconv::stride<2, 2>>();
  });
}
