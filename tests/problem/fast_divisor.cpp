// SPDX-License-Identifier: Apache-2.0
#include <dwconv/core/fast_divisor.hpp>

#include <limits>
#include <random>
#include <vector>

#include "support/catch.hpp"

using dwconv::fast_divisor;

static_assert(fast_divisor<std::int32_t>{7}.quotient(48) == 6);
static_assert(fast_divisor<std::int64_t>{7}.quotient(49) == 7);
static_assert(fast_divisor<std::int32_t>{}.quotient(5) == 5, "by default it divides by one");

namespace {

/// Around every power of two and around the largest value: where shifts and roundings change.
template <class Index>
std::vector<Index> boundaries()
{
  constexpr Index most = std::numeric_limits<Index>::max();
  std::vector<Index> values{most,         most - 1, most - 2,    most / 2,
                            most / 2 + 1, most / 3, most / 3 + 1};
  for (int bit = 0; bit < std::numeric_limits<Index>::digits; ++bit) {
    Index const power = Index(Index{1} << bit);
    values.insert(values.end(), {Index(power - 1), power});
    if (power < most) { values.push_back(Index(power + 1)); }
  }
  return values;
}

}  // namespace

TEMPLATE_TEST_CASE("small numerators and divisors divide exactly, all of them", "[fast_divisor]",
                   std::int32_t, std::int64_t)
{
  int wrong = 0;
  for (TestType divisor = 1; divisor <= 700; ++divisor) {
    fast_divisor<TestType> const fast{divisor};
    wrong += fast.divisor() != divisor;
    for (TestType numerator = 0; numerator <= 3000; ++numerator) {
      wrong += fast.quotient(numerator) != numerator / divisor;
      wrong += fast.quotient_up(numerator) != (numerator + divisor - 1) / divisor;
    }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("numerators and divisors at powers of two and at the largest divide exactly",
                   "[fast_divisor]", std::int32_t, std::int64_t)
{
  int wrong = 0;
  for (TestType const divisor : boundaries<TestType>()) {
    if (divisor == 0) { continue; }
    fast_divisor<TestType> const fast{divisor};
    for (TestType const numerator : boundaries<TestType>()) {
      wrong += fast.quotient(numerator) != numerator / divisor;
    }
    // Where a quotient turns over: the last numerator of one and the first of the next.
    TestType const most_quotient = std::numeric_limits<TestType>::max() / divisor;
    for (TestType const quotient : {TestType{1}, TestType(most_quotient / 2), most_quotient}) {
      TestType const multiple = quotient * divisor;
      wrong += fast.quotient(multiple) != quotient;
      if (multiple > 0) { wrong += fast.quotient(multiple - 1) != (multiple - 1) / divisor; }
    }
  }
  CHECK(wrong == 0);
}

TEMPLATE_TEST_CASE("random numerators and divisors of every size divide exactly", "[fast_divisor]",
                   std::int32_t, std::int64_t)
{
  std::mt19937_64 random{7};
  auto const any = [&] {
    constexpr int digits = std::numeric_limits<TestType>::digits;
    return static_cast<TestType>((random() >> (64 - digits)) >> (random() % digits));
  };
  int wrong = 0;
  for (int i = 0; i < 200'000; ++i) {
    TestType const divisor = std::max<TestType>(any(), 1);
    fast_divisor<TestType> const fast{divisor};
    for (int j = 0; j < 10; ++j) {
      TestType const numerator = any();
      wrong += fast.quotient(numerator) != numerator / divisor;
    }
  }
  CHECK(wrong == 0);
}
