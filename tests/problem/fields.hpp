// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <dwconv/problem/descriptor.hpp>

/// A number in a problem, as the documentation names and bounds it.
struct problem_field {
  char const* name;
  std::int64_t& (*of)(dwconv::conv2d_problem&);
  std::int64_t least;
  std::int64_t most;
};

inline constexpr std::int64_t two_to_20 = 1048576;
inline constexpr std::int64_t two_to_40 = 1099511627776;

/// Every number a caller sets, in the order in which `validate` reads them.
inline constexpr std::array<problem_field, 15> problem_fields{{
  {"batch", [](auto& p) -> std::int64_t& { return p.batch; }, 0, two_to_40},
  {"channels", [](auto& p) -> std::int64_t& { return p.channels; }, 1, two_to_40},
  {"multiplier", [](auto& p) -> std::int64_t& { return p.multiplier; }, 1, two_to_40},
  {"input.height", [](auto& p) -> std::int64_t& { return p.input.height; }, 1, two_to_40},
  {"input.width", [](auto& p) -> std::int64_t& { return p.input.width; }, 1, two_to_40},
  {"filter.height", [](auto& p) -> std::int64_t& { return p.filter.height; }, 1, two_to_20},
  {"filter.width", [](auto& p) -> std::int64_t& { return p.filter.width; }, 1, two_to_20},
  {"stride.height", [](auto& p) -> std::int64_t& { return p.stride.height; }, 1, two_to_40},
  {"stride.width", [](auto& p) -> std::int64_t& { return p.stride.width; }, 1, two_to_40},
  {"dilation.height", [](auto& p) -> std::int64_t& { return p.dilation.height; }, 1, two_to_40},
  {"dilation.width", [](auto& p) -> std::int64_t& { return p.dilation.width; }, 1, two_to_40},
  {"pad.top", [](auto& p) -> std::int64_t& { return p.pad.top; }, 0, two_to_40},
  {"pad.bottom", [](auto& p) -> std::int64_t& { return p.pad.bottom; }, 0, two_to_40},
  {"pad.left", [](auto& p) -> std::int64_t& { return p.pad.left; }, 0, two_to_40},
  {"pad.right", [](auto& p) -> std::int64_t& { return p.pad.right; }, 0, two_to_40},
}};

/// Valid, with room to change any one number.
[[nodiscard]] inline dwconv::conv2d_problem ordinary_problem()
{
  return {.batch      = 2,
          .channels   = 3,
          .multiplier = 2,
          .input      = {7, 9},
          .filter     = {3, 2},
          .stride     = {2, 1},
          .dilation   = {1, 3},
          .pad        = {.top = 1, .bottom = 0, .left = 2, .right = 1}};
}
