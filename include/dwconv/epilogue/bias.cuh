// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/device/convert.cuh>
#include <dwconv/device/vector_access.cuh>
#include <dwconv/epilogue/stage.cuh>

namespace dwconv::epilogue {

/// A tensor of one value per output channel, as a range that messages can name.
template <element T>
[[nodiscard]] byte_range per_channel(char const* name, T const* values,
                                     conv2d_problem const& problem)
{
  constexpr auto size = static_cast<std::int64_t>(sizeof(T));
  return {name, reinterpret_cast<std::uintptr_t>(values), problem.output_channels() * size, size};
}

/// Adds one value per output channel.
template <element T>
struct bias {
  T const* values;  ///< Device memory, [C*M].

  template <typename Sum>
  [[nodiscard]] __device__ Sum operator()(Sum sum, output_coordinate const& at) const
  {
    return sum + static_cast<Sum>(to_sum(load_read_only(values + at.channel)));
  }

  [[nodiscard]] status check(conv2d_problem const& problem, byte_range const& output) const
  {
    return check_read(per_channel("epilogue bias.values", values, problem), output);
  }
};

/// Multiplies by one value per output channel and adds another: a batch normalisation folded for
/// inference, with scale = gamma / sqrt(variance + epsilon) and shift = beta - mean * scale.
template <element T>
struct scale_shift {
  T const* scale;  ///< Device memory, [C*M].
  T const* shift;  ///< Device memory, [C*M].

  template <typename Sum>
  [[nodiscard]] __device__ Sum operator()(Sum sum, output_coordinate const& at) const
  {
    return sum * static_cast<Sum>(to_sum(load_read_only(scale + at.channel))) +
           static_cast<Sum>(to_sum(load_read_only(shift + at.channel)));
  }

  [[nodiscard]] status check(conv2d_problem const& problem, byte_range const& output) const
  {
    if (status const s =
          check_read(per_channel("epilogue scale_shift.scale", scale, problem), output);
        !s.ok()) {
      return s;
    }
    return check_read(per_channel("epilogue scale_shift.shift", shift, problem), output);
  }
};

}  // namespace dwconv::epilogue
