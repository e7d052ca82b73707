// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <driver_types.h>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Why a call did nothing, or `success`.
enum class status_code : std::uint8_t {
  success,
  too_small,             ///< An argument is below its limit.
  too_large,             ///< An argument is above its limit.
  unknown_value,         ///< An enumeration holds a value that is none of its names.
  overflow,              ///< A tensor has more elements, or bytes, than 64 bits count.
  filter_exceeds_input,  ///< The dilated filter is larger than the padded input along one axis.
  null_pointer,
  misaligned_pointer,   ///< A pointer is not a multiple of its element size.
  overlapping_tensors,  ///< The output shares bytes with something that is read.
  mismatch,             ///< The call disagrees with the plan or with the compiled filter or stride.
  no_device,            ///< The CUDA runtime offers no GPU.
  device_too_old,
  cuda_error,  ///< The CUDA runtime refused a call; `status::cuda` says why.
};

/// How a call ended. A call that did not succeed has written nothing and launched nothing.
///
/// Plain data without allocation: `message()` puts the sentence together when somebody asks.
struct [[nodiscard]] status {
  status_code code     = status_code::success;
  cudaError_t cuda     = cudaSuccess;  ///< With `cuda_error`: what the runtime said.
  char const* argument = "";           ///< Name of the argument at fault; a string literal.
  std::int64_t value   = 0;            ///< What it was.
  std::int64_t limit   = 0;            ///< What it had to be, or had to stay within.

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr bool ok() const noexcept
  {
    return code == status_code::success;
  }

  /// One line that names the argument, its value and the limit.
  [[nodiscard]] std::string message() const;

  friend constexpr bool operator==(status const& a, status const& b) noexcept
  {
    return a.code == b.code && a.cuda == b.cuda && a.value == b.value && a.limit == b.limit &&
           std::string_view{a.argument} == std::string_view{b.argument};
  }
};

/// The code's own name, as written above.
[[nodiscard]] constexpr char const* name_of(status_code code) noexcept
{
  switch (code) {
    case status_code::success: return "success";
    case status_code::too_small: return "too_small";
    case status_code::too_large: return "too_large";
    case status_code::unknown_value: return "unknown_value";
    case status_code::overflow: return "overflow";
    case status_code::filter_exceeds_input: return "filter_exceeds_input";
    case status_code::null_pointer: return "null_pointer";
    case status_code::misaligned_pointer: return "misaligned_pointer";
    case status_code::overlapping_tensors: return "overlapping_tensors";
    case status_code::mismatch: return "mismatch";
    case status_code::no_device: return "no_device";
    case status_code::device_too_old: return "device_too_old";
    case status_code::cuda_error: return "cuda_error";
  }
  return "unknown status code";
}

inline std::string status::message() const
{
  std::string const name  = argument;
  std::string const is    = " is " + std::to_string(value);
  std::string const bound = std::to_string(limit);
  switch (code) {
    case status_code::success: return "success";
    case status_code::too_small: return name + is + ", must be at least " + bound;
    case status_code::too_large: return name + is + ", must be at most " + bound;
    case status_code::unknown_value: return name + is + ", must be from 0 to " + bound;
    case status_code::overflow: return name + " overflows 64 bits: must be at most " + bound;
    case status_code::filter_exceeds_input:
      return name + " spans " + std::to_string(value) + " with its dilation, must be at most " +
             bound + ", the padded input along that axis";
    case status_code::null_pointer: return name + " is null, must point to device memory";
    case status_code::misaligned_pointer:
      return name + " is " + std::to_string(value) + " bytes past a multiple of " + bound +
             ", its element size";
    case status_code::overlapping_tensors:
      return name + " overlaps the output: they share " + std::to_string(value) +
             " bytes, must share " + bound;
    case status_code::mismatch: return name + is + ", must be " + bound + " as planned or compiled";
    case status_code::no_device:
      return "no CUDA device: " + bound + " is needed, " + std::to_string(value) + " found";
    case status_code::device_too_old:
      return name + is + ", must be at least " + bound + " (ten times major plus minor)";
    case status_code::cuda_error:
      return "CUDA runtime error " + std::to_string(static_cast<int>(cuda)) + " in " + name;
  }
  return "unknown status code";
}

}  // namespace dwconv
