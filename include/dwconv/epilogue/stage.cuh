// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include <dwconv/core/status.hpp>
#include <dwconv/epilogue/coordinate.hpp>
#include <dwconv/problem/byte_range.hpp>
#include <dwconv/problem/descriptor.hpp>

namespace dwconv::epilogue {

/// What may follow a sum: copied into the kernel, called once per output as `stage(sum,
/// coordinate)`, returning the new sum. A type of the user's own qualifies when its call operator
/// is `__device__` and const.
template <typename S>
concept stage = std::is_class_v<S> && std::is_trivially_copyable_v<S> &&
  std::is_invocable_r_v<float, S const&, float, output_coordinate const&>;

/// Whether a stage hands a sum back in the type it was given, so that no double is rounded to float
/// on the way.
template <typename S, typename Sum>
inline constexpr bool keeps_type =
  std::is_same_v<std::invoke_result_t<S const&, Sum, output_coordinate const&>, Sum>;

/// Asks a stage whether its pointers are fit for `problem`; one without a `check` member has
/// nothing to refuse.
template <stage S>
[[nodiscard]] status check(S const& s, conv2d_problem const& problem, byte_range const& output)
{
  if constexpr (requires { s.check(problem, output); }) {
    return s.check(problem, output);
  } else {
    return {};
  }
}

/// Leaves the sum as it is.
struct identity {
  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Sum operator()(Sum sum, output_coordinate const&) const
  {
    return sum;
  }
};

/// `second` applied to what `first` returned.
template <stage First, stage Second>
struct chain {
  First first;
  Second second;

  template <typename Sum>
  [[nodiscard]] DWCONV_HOST_DEVICE Sum operator()(Sum sum, output_coordinate const& at) const
  {
    static_assert(keeps_type<First, Sum> && keeps_type<Second, Sum>,
                  "an epilogue must return the type of the sum it is given");
    return second(first(sum, at), at);
  }

  [[nodiscard]] status check(conv2d_problem const& problem, byte_range const& output) const
  {
    if (status const s = epilogue::check(first, problem, output); !s.ok()) { return s; }
    return epilogue::check(second, problem, output);
  }
};

/// Chains two stages, left first: `bias{b} | silu{}`. Found when either side is one of dwconv's
/// own.
template <stage First, stage Second>
[[nodiscard]] constexpr chain<First, Second> operator|(First const& first, Second const& second)
{
  return {first, second};
}

/// Blocks that may share a multiprocessor beside an epilogue, of those that may without: it needs
/// registers of its own, and in double many.
template <stage S>
[[nodiscard]] constexpr int blocks_beside(int blocks, bool of_double)
{
  if (std::is_same_v<S, identity>) { return blocks; }
  int const fewer = of_double ? blocks / 2 : blocks * 3 / 4;
  return fewer > 1 ? fewer : 1;
}

}  // namespace dwconv::epilogue
