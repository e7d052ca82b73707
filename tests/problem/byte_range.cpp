// SPDX-License-Identifier: Apache-2.0
#include <dwconv/problem/byte_range.hpp>

#include "support/catch.hpp"

using dwconv::byte_range;
using dwconv::shared_bytes;
using dwconv::status;
using dwconv::status_code;

namespace {

byte_range range(std::uintptr_t begin, std::int64_t bytes, std::int64_t element = 1)
{
  return {"x", begin, bytes, element};
}

}  // namespace

TEST_CASE("two ranges share what counting byte by byte finds", "[byte_range]")
{
  int wrong = 0;
  for (std::uintptr_t a = 100; a < 108; ++a) {
    for (std::int64_t a_bytes = 0; a_bytes < 8; ++a_bytes) {
      for (std::int64_t b_bytes = 0; b_bytes < 8; ++b_bytes) {
        std::int64_t common = 0;
        for (std::uintptr_t byte = 90; byte < 120; ++byte) {
          bool const in_a = byte >= a && byte < a + static_cast<std::uintptr_t>(a_bytes);
          bool const in_b = byte >= 104 && byte < 104 + static_cast<std::uintptr_t>(b_bytes);
          common += in_a && in_b;
        }
        wrong += shared_bytes(range(a, a_bytes), range(104, b_bytes)) != common;
        wrong += shared_bytes(range(104, b_bytes), range(a, a_bytes)) != common;
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("ranges at the far ends of the address space share nothing", "[byte_range]")
{
  std::int64_t const quarter = INT64_MAX / 4;
  CHECK(shared_bytes(range(UINTPTR_MAX - 15, 8), range(16, 8)) == 0);
  CHECK(shared_bytes(range(UINTPTR_MAX - 15, 15), range(UINTPTR_MAX - 15, 15)) == 15);
  CHECK(shared_bytes(range(16, quarter), range(32, quarter)) == quarter - 16);
}

TEST_CASE("a pointer is refused when it is null, whatever its alignment", "[byte_range]")
{
  CHECK(dwconv::check_pointer(range(0, 8, 4)) ==
        status{.code = status_code::null_pointer, .argument = "x"});
  CHECK(dwconv::check_pointer(range(8, 0, 4)).ok());
}

TEST_CASE("a pointer is refused when its element would straddle", "[byte_range]")
{
  for (std::int64_t const element : {1, 2, 4, 8}) {
    for (std::uintptr_t begin = 4096; begin < 4112; ++begin) {
      auto const past = static_cast<std::int64_t>(begin) % element;
      CAPTURE(element, begin);
      CHECK(dwconv::check_pointer(range(begin, 64, element)) ==
            (past == 0 ? status{}
                       : status{.code     = status_code::misaligned_pointer,
                                .argument = "x",
                                .value    = past,
                                .limit    = element}));
    }
  }
}

TEST_CASE("a tensor that is read may touch the output but not share a byte with it", "[byte_range]")
{
  byte_range const y{"y", 1024, 64, 4};
  CHECK(dwconv::check_read(range(1024 - 64, 64, 4), y).ok());
  CHECK(dwconv::check_read(range(1024 + 64, 64, 4), y).ok());
  CHECK(dwconv::check_read(range(1024 - 60, 64, 4), y) ==
        status{.code = status_code::overlapping_tensors, .argument = "x", .value = 4, .limit = 0});
  CHECK(dwconv::check_read(range(1024 + 60, 64, 4), y).value == 4);
  CHECK(dwconv::check_read(range(1024, 64, 4), y).value == 64);
  CHECK(dwconv::check_read(range(1022, 64, 4), y).code == status_code::misaligned_pointer);
  CHECK(dwconv::check_read(range(0, 64, 4), y).code == status_code::null_pointer);
}
