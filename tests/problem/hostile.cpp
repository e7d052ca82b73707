// SPDX-License-Identifier: Apache-2.0
// Whatever the numbers, `validate` gives a verdict without undefined behaviour, and the right one:
// the oracle counts in 128 bits.
#include <cstdint>
#include <random>

#include <dwconv/problem/traffic.hpp>
#include <dwconv/problem/validate.hpp>

#include "problem/fields.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::status_code;
using dwconv::validate;

namespace {

__extension__ typedef __int128 wide;

constexpr std::int64_t most_elements = INT64_MAX / 32;

constexpr std::int64_t hostile_values[] = {INT64_MIN,  INT64_MIN + 1,
                                           -two_to_40, -(std::int64_t{1} << 31),
                                           -1,         0,
                                           1,          2,
                                           3,          65536,
                                           two_to_20,  two_to_20 + 1,
                                           INT32_MAX,  two_to_40 - 1,
                                           two_to_40,  two_to_40 + 1,
                                           INT64_MAX,  INT64_MAX - 1};

struct counts {
  wide rows, columns;  ///< Of y; not positive where the filter does not fit.
  wide x, filter, y;
};

wide places(wide padded, wide taps, wide stride, wide dilation)
{
  wide const spare = padded - (dilation * (taps - 1) + 1);
  return spare < 0 ? 0 : spare / stride + 1;
}

counts count(conv2d_problem const& p)
{
  counts c{};
  c.rows = places(wide{p.input.height} + p.pad.top + p.pad.bottom, p.filter.height, p.stride.height,
                  p.dilation.height);
  c.columns = places(wide{p.input.width} + p.pad.left + p.pad.right, p.filter.width, p.stride.width,
                     p.dilation.width);
  return c;
}

/// a * b * ..., or more than any limit as soon as a partial product is; a zero anywhere is zero.
template <class... Factors>
wide product(Factors... factors)
{
  wide const all[] = {wide{factors}...};
  for (wide const factor : all) {
    if (factor == 0) { return 0; }
  }
  wide result = 1;
  for (wide const factor : all) {
    result *= factor;
    if (result > most_elements) { return wide{most_elements} + 1; }
  }
  return result;
}

bool truly_valid(conv2d_problem p)
{
  for (problem_field const& field : problem_fields) {
    if (field.of(p) < field.least || field.of(p) > field.most) { return false; }
  }
  counts const c = count(p);
  if (c.rows == 0 || c.columns == 0) { return false; }
  return product(p.batch, p.channels, p.input.height, p.input.width) <= most_elements &&
         product(p.channels, p.multiplier, p.filter.height, p.filter.width) <= most_elements &&
         product(p.batch, p.channels, p.multiplier, c.rows, c.columns) <= most_elements;
}

/// Everything that may be asked about a valid problem fits 64 bits.
void ask_all(conv2d_problem const& p)
{
  dwconv::traffic const t = dwconv::forward_traffic(p, dwconv::dtype::float64);
  counts const c          = count(p);
  CHECK(dwconv::output_extent(p) ==
        dwconv::extent2{static_cast<std::int64_t>(c.rows), static_cast<std::int64_t>(c.columns)});
  CHECK(t.bytes() >= 0);
  CHECK(t.flops() >= 0);
}

}  // namespace

TEST_CASE("any number in any place gets the right verdict", "[hostile]")
{
  for (problem_field const& field : problem_fields) {
    for (std::int64_t const value : hostile_values) {
      conv2d_problem p = ordinary_problem();
      field.of(p)      = value;
      CAPTURE(field.name, value);
      CHECK(validate(p).ok() == truly_valid(p));
      if (validate(p).ok()) { ask_all(p); }
    }
  }
}

TEST_CASE("any two numbers in any two places get the right verdict", "[hostile]")
{
  int wrong = 0;
  for (problem_field const& one : problem_fields) {
    for (problem_field const& other : problem_fields) {
      for (std::int64_t const first : hostile_values) {
        for (std::int64_t const second : hostile_values) {
          conv2d_problem p = ordinary_problem();
          one.of(p)        = first;
          other.of(p)      = second;
          wrong += validate(p).ok() != truly_valid(p);
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("random hostile problems get the right verdict", "[hostile]")
{
  std::mt19937_64 random{20240611};
  int wrong = 0, valid = 0;
  for (int i = 0; i < 300'000; ++i) {
    conv2d_problem p = ordinary_problem();
    for (problem_field const& field : problem_fields) {
      auto const bits         = static_cast<int>(random() % 42);
      std::int64_t const size = std::int64_t{1} << bits;
      if (random() % 3 != 0) { field.of(p) = size + static_cast<std::int64_t>(random() % 3) - 1; }
    }
    bool const ok = validate(p).ok();
    wrong += ok != truly_valid(p);
    if (ok && ++valid % 64 == 0) { ask_all(p); }
  }
  CHECK(wrong == 0);
  CHECK(valid > 1000);  // the numbers are not all hopeless
}

TEST_CASE("a tensor of more elements than 64 bits count is named", "[hostile]")
{
  conv2d_problem p{.batch = 1, .channels = 1, .input = {1, 1}, .filter = {1, 1}};
  SECTION("x")
  {
    p.batch = p.channels = two_to_40;
  }
  SECTION("filter")
  {
    p.channels = p.multiplier = two_to_40;
  }
  SECTION("y")
  {
    p.batch = p.multiplier = two_to_20 * 1024;
    p.pad                  = {.bottom = 2, .right = 1};
  }
  std::string const name = p.batch == 1 ? "filter" : p.batch == two_to_40 ? "x" : "y";
  CAPTURE(name);
  dwconv::status const found = validate(p);
  CHECK(found.code == status_code::overflow);
  CHECK(std::string{found.argument} == "number of elements of " + name);
  CHECK(found.limit == most_elements);
  CHECK(found.message() == "number of elements of " + name +
                             " overflows 64 bits: must be at most " +
                             std::to_string(most_elements));
}
