// SPDX-License-Identifier: Apache-2.0
#include <dwconv/core/status.hpp>

#include "support/catch.hpp"

using dwconv::status;
using dwconv::status_code;

namespace {

std::string message_of(status_code code)
{
  return status{
    .code = code, .cuda = cudaErrorInvalidValue, .argument = "pad.top", .value = -3, .limit = 12}
    .message();
}

}  // namespace

static_assert(status{}.ok());
static_assert(!status{.code = status_code::null_pointer}.ok());
static_assert(status{} == status{});
static_assert(!(status{.argument = "x"} == status{.argument = "y"}));

TEST_CASE("every code has its sentence, with argument, value and limit where it has them",
          "[messages]")
{
  CHECK(message_of(status_code::success) == "success");
  CHECK(message_of(status_code::too_small) == "pad.top is -3, must be at least 12");
  CHECK(message_of(status_code::too_large) == "pad.top is -3, must be at most 12");
  CHECK(message_of(status_code::unknown_value) == "pad.top is -3, must be from 0 to 12");
  CHECK(message_of(status_code::overflow) == "pad.top overflows 64 bits: must be at most 12");
  CHECK(message_of(status_code::filter_exceeds_input) ==
        "pad.top spans -3 with its dilation, must be at most 12, the padded input along that axis");
  CHECK(message_of(status_code::null_pointer) == "pad.top is null, must point to device memory");
  CHECK(message_of(status_code::misaligned_pointer) ==
        "pad.top is -3 bytes past a multiple of 12, its element size");
  CHECK(message_of(status_code::overlapping_tensors) ==
        "pad.top overlaps the output: they share -3 bytes, must share 12");
  CHECK(message_of(status_code::mismatch) == "pad.top is -3, must be 12 as planned or compiled");
  CHECK(message_of(status_code::no_device) == "no CUDA device: 12 is needed, -3 found");
  CHECK(message_of(status_code::device_too_old) ==
        "pad.top is -3, must be at least 12 (ten times major plus minor)");
  CHECK(message_of(status_code::cuda_error) == "CUDA runtime error 1 in pad.top");
}

TEST_CASE("a code that is none still has a message", "[messages]")
{
  CHECK(message_of(static_cast<status_code>(200)) == "unknown status code");
}

TEST_CASE("statuses compare by all they say, arguments by their text", "[messages]")
{
  status const base{.code = status_code::too_small, .argument = "x", .value = 1, .limit = 2};
  std::string const same_text = "x";
  status other                = base;
  other.argument              = same_text.c_str();
  CHECK(base == other);
  CHECK(base != status{.code = status_code::too_large, .argument = "x", .value = 1, .limit = 2});
  CHECK(base != status{.code = status_code::too_small, .argument = "y", .value = 1, .limit = 2});
  CHECK(base != status{.code = status_code::too_small, .argument = "x", .value = 0, .limit = 2});
  CHECK(base != status{.code = status_code::too_small, .argument = "x", .value = 1, .limit = 0});
  other.cuda = cudaErrorInvalidValue;
  CHECK(base != other);
}
