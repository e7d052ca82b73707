// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <vector>

#include <dwconv/core/element.cuh>

#include "support/catch.hpp"
#include "support/device_buffer.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

TEST_CASE("a buffer gives back what it was given", "[emulation][support]")
{
  std::vector<int> const values{3, 1, 4, 1, 5};
  device_buffer<int> buffer{values};
  CHECK(buffer.size() == 5);
  CHECK(buffer.read() == values);
  buffer.data()[2] = 9;
  CHECK(buffer.read()[2] == 9);
  buffer.write(values);
  CHECK(buffer.read() == values);
  device_buffer<int> const empty{0, poison{}};
  CHECK(empty.read().empty());
  CHECK(empty.canaries_intact());
}

TEMPLATE_TEST_CASE("a poisoned buffer holds NaN", "[emulation][support]", float, double)
{
  device_buffer<TestType> buffer{17, poison{}};
  for (auto const value : buffer.read()) { CHECK(std::isnan(value)); }
  buffer.write(std::vector<TestType>(17, TestType{1}));
  buffer.fill_with_nan();
  for (auto const value : buffer.read()) { CHECK(std::isnan(value)); }
}

TEST_CASE("a poisoned buffer of halves holds NaN", "[emulation][support]")
{
  device_buffer<__half> fp16{3, poison{}};
  device_buffer<__nv_bfloat16> bf16{3, poison{}};
  CHECK(std::isnan(__half2float(fp16.read()[1])));
  CHECK(std::isnan(__bfloat162float(bf16.read()[1])));
}

TEST_CASE("a buffer lies exactly as far off alignment as asked", "[emulation][support]")
{
  for (std::size_t const shift : {0, 1, 3, 64}) {
    device_buffer<float> buffer{10, poison{}, shift};
    CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 256 == shift * sizeof(float) % 256);
    CHECK(buffer.canaries_intact());
  }
}

#if defined(__SANITIZE_ADDRESS__)
TEST_CASE("the sanitizer knows the canaries", "[emulation][support]")
{
  device_buffer<char> buffer{11, poison{}, 5};
  auto const poisoned = [](void const* address) {
    return __asan_address_is_poisoned(address) != 0;
  };
  CHECK_FALSE(poisoned(buffer.data()));
  CHECK_FALSE(poisoned(buffer.data() + 10));
  CHECK(poisoned(buffer.data() + 11));
  CHECK(poisoned(buffer.data() + 200));
  CHECK(poisoned(buffer.data() - 8));
  CHECK(buffer.canaries_intact());
  CHECK(poisoned(buffer.data() + 11));
}
#else
TEST_CASE("a write past either end of a buffer shows", "[emulation][support]")
{
  for (std::ptrdiff_t const at : {-256, -1, 9, 264}) {
    device_buffer<char> buffer{9, poison{}};
    char* const stray = buffer.data() + at;
    *stray            = 1;
    CHECK_FALSE(buffer.canaries_intact());
  }
}
#endif
