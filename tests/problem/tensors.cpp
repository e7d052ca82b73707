// SPDX-License-Identifier: Apache-2.0
#include <dwconv/problem/tensors.hpp>

#include "problem/fields.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::forward_tensors;
using dwconv::status;
using dwconv::status_code;

namespace {

// Addresses are compared, never followed.
float* at(std::uintptr_t address)
{
  return reinterpret_cast<float*>(address);
}

constexpr std::uintptr_t x_at = 0x10000, filter_at = 0x20000, y_at = 0x30000;

forward_tensors<float> const apart{.x = at(x_at), .filter = at(filter_at), .y = at(y_at)};

status validate(forward_tensors<float> const& tensors)
{
  return dwconv::validate(ordinary_problem(), tensors);
}

}  // namespace

TEST_CASE("the elements of each tensor are counted", "[tensors]")
{
  // 2 images of 3 channels of 7x9, multiplier 2, a 3x2 filter: y is 3x9 a channel.
  conv2d_problem const p = ordinary_problem();
  CHECK(dwconv::input_elements(p) == 2 * 3 * 7 * 9);
  CHECK(dwconv::filter_elements(p) == 6 * 3 * 2);
  CHECK(dwconv::output_elements(p) == 2 * 6 * 3 * 9);
  CHECK(p.output_channels() == 6);
}

TEST_CASE("tensors apart from each other are valid", "[tensors]")
{
  CHECK(validate(apart).ok());
}

TEST_CASE("each null pointer is named", "[tensors]")
{
  auto const null = [](char const* name) {
    return status{.code = status_code::null_pointer, .argument = name};
  };
  forward_tensors<float> t = apart;
  t.x                      = nullptr;
  CHECK(validate(t) == null("x"));
  t        = apart;
  t.filter = nullptr;
  CHECK(validate(t) == null("filter"));
  t   = apart;
  t.y = nullptr;
  CHECK(validate(t) == null("y"));
  CHECK(validate(t).message() == "y is null, must point to device memory");
}

TEST_CASE("each pointer between two elements is named", "[tensors]")
{
  auto const astray = [](char const* name, std::int64_t past) {
    return status{
      .code = status_code::misaligned_pointer, .argument = name, .value = past, .limit = 4};
  };
  forward_tensors<float> t = apart;
  t.x                      = at(x_at + 1);
  CHECK(validate(t) == astray("x", 1));
  t        = apart;
  t.filter = at(filter_at + 2);
  CHECK(validate(t) == astray("filter", 2));
  t   = apart;
  t.y = at(y_at + 7);
  CHECK(validate(t) == astray("y", 3));
  CHECK(validate(t).message() == "y is 3 bytes past a multiple of 4, its element size");
  t.y = at(y_at + 4);
  CHECK(validate(t).ok());
}

TEST_CASE("an output on top of what is read is named by what is read", "[tensors]")
{
  std::uintptr_t const x_end = x_at + 4 * 378, filter_end = filter_at + 4 * 36;
  auto const on = [](char const* name, std::int64_t bytes) {
    return status{
      .code = status_code::overlapping_tensors, .argument = name, .value = bytes, .limit = 0};
  };
  forward_tensors<float> t = apart;
  t.y                      = at(x_end - 4);
  CHECK(validate(t) == on("x", 4));
  CHECK(validate(t).message() == "x overlaps the output: they share 4 bytes, must share 0");
  t.y = at(x_end);
  CHECK(validate(t).ok());
  t.y = at(filter_end - 8);
  CHECK(validate(t) == on("filter", 8));
  t.y = at(x_at - 4 * 324);
  CHECK(validate(t).ok());
  t.y = at(x_at - 4 * 323);
  CHECK(validate(t) == on("x", 4));
}

TEST_CASE("x and the filter may overlap: both are only read", "[tensors]")
{
  forward_tensors<float> t = apart;
  t.filter                 = t.x;
  CHECK(validate(t).ok());
}
