// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include <dwconv/core/dtype.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/problem/layout.hpp>

#include "support/catch.hpp"

using dwconv::dtype;
using dwconv::name_of;

TEST_CASE("every element type has its name and size", "[names]")
{
  CHECK(std::string{name_of(dtype::float16)} == "float16");
  CHECK(std::string{name_of(dtype::bfloat16)} == "bfloat16");
  CHECK(std::string{name_of(dtype::float32)} == "float32");
  CHECK(std::string{name_of(dtype::float64)} == "float64");
  CHECK(size_in_bytes(dtype::float16) == 2);
  CHECK(size_in_bytes(dtype::bfloat16) == 2);
  CHECK(size_in_bytes(dtype::float32) == 4);
  CHECK(size_in_bytes(dtype::float64) == 8);
}

TEST_CASE("every layout has its name", "[names]")
{
  CHECK(std::string{name_of(dwconv::layout::nchw)} == "nchw");
  CHECK(std::string{name_of(dwconv::layout::nhwc)} == "nhwc");
}

TEST_CASE("every status code has a name of its own", "[names]")
{
  std::set<std::string> names;
  int const codes = static_cast<int>(dwconv::status_code::cuda_error) + 1;
  for (int i = 0; i < codes; ++i) { names.insert(name_of(static_cast<dwconv::status_code>(i))); }
  CHECK(names.size() == static_cast<std::size_t>(codes));
  CHECK(names.count("unknown status code") == 0);
}

TEST_CASE("values that are no names are called unknown", "[names]")
{
  CHECK(std::string{name_of(static_cast<dtype>(9))} == "unknown dtype");
  CHECK(std::string{name_of(static_cast<dwconv::layout>(9))} == "unknown layout");
  CHECK(std::string{name_of(static_cast<dwconv::status_code>(99))} == "unknown status code");
}
