// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "forward/scenario.hpp"
#include "forward/toeplitz_launch.hpp"
#include "support/catch.hpp"

/// The toeplitz family, as a door: planned for an H200 unless told otherwise.
template <typename Epilogue   = dwconv::epilogue::identity,
          dwconv::mover Mover = dwconv::mover::newest>
struct toeplitz_door {
  Epilogue epilogue{};
  dwconv::toeplitz_tiles::aims aim = dwconv::toeplitz_tiles::sm90;
  dwconv::device_facts device      = dwconv::h200_facts;
  bool kept                        = true;  ///< Whether results may be gathered before the store.

  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    dwconv::toeplitz_policy policy{};
    if (char const* const obstacle =
          dwconv::obstacle_to_toeplitz(problem, dwconv::dtype_of<T>, device, policy)) {
      return {.code = dwconv::status_code::mismatch, .argument = obstacle};
    }
    policy = dwconv::choose_toeplitz_policy(problem, device, aim);
    if (!kept) {
      bool const narrow = problem.input.width < policy.tile.columns + problem.filter.width;
      policy.tile.kept  = narrow || !dwconv::toeplitz_stores_each(problem);
    }
    toeplitz_launch<T, Epilogue, Mover> const launch{problem, policy, tensors, epilogue, stream};
    return launch() == cudaSuccess
             ? dwconv::status{}
             : dwconv::status{.code = dwconv::status_code::cuda_error, .argument = "launch"};
  }
};

/// On integers bit for bit, on real numbers within the bound per element, in the element type
/// number `which`, modulo two.
template <typename Door = toeplitz_door<>>
[[nodiscard]] agreement toeplitz_agrees(std::size_t which, dwconv::conv2d_problem const& problem,
                                        misalignment misalign = {}, Door const& door = {})
{
  auto const in = [&]<typename T>(T) {
    auto const exactly = agrees(integer_case<T>(problem, which), tolerance::none, door, misalign);
    return exactly ? agrees(real_case<T>(problem, which), tolerance::bound, door, misalign)
                   : exactly;
  };
  return which % 2 == 0 ? in(__half{}) : in(__nv_bfloat16{});
}
