// SPDX-License-Identifier: Apache-2.0
#include <dwconv/problem/validate.hpp>

#include "problem/fields.hpp"
#include "support/catch.hpp"

using dwconv::conv2d_problem;
using dwconv::status;
using dwconv::status_code;
using dwconv::validate;

static_assert(validate({.batch = 1, .channels = 1, .input = {3, 3}, .filter = {3, 3}}).ok());
static_assert(validate({.batch = 1, .channels = 0, .input = {3, 3}, .filter = {3, 3}}).code ==
              status_code::too_small);

TEST_CASE("an ordinary problem is valid", "[validate]")
{
  CHECK(validate(ordinary_problem()) == status{});
}

TEST_CASE("an empty batch is valid", "[validate]")
{
  conv2d_problem p = ordinary_problem();
  p.batch          = 0;
  CHECK(validate(p).ok());
}

TEST_CASE("a number below its range is too small, and the status names it", "[validate]")
{
  for (problem_field const& field : problem_fields) {
    conv2d_problem p   = ordinary_problem();
    field.of(p)        = field.least - 1;
    status const found = validate(p);
    CAPTURE(field.name);
    CHECK(found.code == status_code::too_small);
    CHECK(std::string{found.argument} == field.name);
    CHECK(found.value == field.least - 1);
    CHECK(found.limit == field.least);
    CHECK(found.message() == std::string{field.name} + " is " + std::to_string(field.least - 1) +
                               ", must be at least " + std::to_string(field.least));
  }
}

TEST_CASE("a number above its range is too large, and the status names it", "[validate]")
{
  for (problem_field const& field : problem_fields) {
    conv2d_problem p   = ordinary_problem();
    field.of(p)        = field.most + 1;
    status const found = validate(p);
    CAPTURE(field.name);
    CHECK(found == status{.code     = status_code::too_large,
                          .argument = field.name,
                          .value    = field.most + 1,
                          .limit    = field.most});
    CHECK(found.message() == std::string{field.name} + " is " + std::to_string(field.most + 1) +
                               ", must be at most " + std::to_string(field.most));
  }
}

TEST_CASE("the ends of every range are inside it", "[validate]")
{
  for (problem_field const& field : problem_fields) {
    for (std::int64_t const end : {field.least, field.most}) {
      conv2d_problem p = ordinary_problem();
      field.of(p)      = end;
      CAPTURE(field.name, end);
      status_code const code = validate(p).code;
      CHECK(code != status_code::too_small);
      CHECK(code != status_code::too_large);
    }
  }
}

TEST_CASE("of several wrong numbers the first is named", "[validate]")
{
  for (std::size_t first = 0; first + 1 < problem_fields.size(); ++first) {
    conv2d_problem p = ordinary_problem();
    for (std::size_t i = first; i < problem_fields.size(); ++i) { problem_fields[i].of(p) = -7; }
    CHECK(std::string{validate(p).argument} == problem_fields[first].name);
  }
}

TEST_CASE("a layout that is none is refused", "[validate]")
{
  conv2d_problem p = ordinary_problem();
  p.data_layout    = static_cast<dwconv::layout>(2);
  CHECK(
    validate(p) ==
    status{.code = status_code::unknown_value, .argument = "data_layout", .value = 2, .limit = 1});
  CHECK(validate(p).message() == "data_layout is 2, must be from 0 to 1");
  p.data_layout = static_cast<dwconv::layout>(255);
  CHECK(validate(p).code == status_code::unknown_value);
  p.data_layout = dwconv::layout::nhwc;
  CHECK(validate(p).ok());
}

TEST_CASE("a filter larger than the padded input is refused along the axis at fault", "[validate]")
{
  conv2d_problem p{.batch    = 1,
                   .channels = 1,
                   .input    = {4, 4},
                   .filter   = {3, 3},
                   .dilation = {2, 2},
                   .pad      = {.top = 1, .left = 1}};
  REQUIRE(validate(p).ok());

  p.pad.top = 0;
  CHECK(validate(p) == status{.code     = status_code::filter_exceeds_input,
                              .argument = "filter.height",
                              .value    = 5,
                              .limit    = 4});
  CHECK(validate(p).message() ==
        "filter.height spans 5 with its dilation, must be at most 4, the "
        "padded input along that axis");
  p.pad = {.bottom = 1};
  CHECK(validate(p) == status{.code     = status_code::filter_exceeds_input,
                              .argument = "filter.width",
                              .value    = 5,
                              .limit    = 4});
  p.pad = {.bottom = 1, .right = 1};
  CHECK(validate(p).ok());
}
