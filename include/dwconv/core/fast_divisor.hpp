// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/core/config.hpp>

namespace dwconv {

/// Divides non-negative indices by a divisor known before the launch: a multiply, an add and a
/// shift.
///
/// Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994),
/// figure 4.1, for numerators below half the unsigned range, where its sum cannot wrap.
///
/// @tparam Index std::int32_t or std::int64_t; divisor and numerators are at least 1 and 0.
template <typename Index>
class fast_divisor {
 public:
  using word = std::make_unsigned_t<Index>;

  constexpr fast_divisor() noexcept = default;

  explicit constexpr fast_divisor(Index divisor) noexcept : divisor_{divisor}
  {
    while (shift_ < bits - 1 && (word{1} << shift_) < static_cast<word>(divisor)) { ++shift_; }
    auto const excess = (wide{1} << shift_) - static_cast<wide>(divisor);
    multiplier_       = static_cast<word>((excess << bits) / static_cast<wide>(divisor) + 1);
  }

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index divisor() const noexcept { return divisor_; }

  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index quotient(Index numerator) const noexcept
  {
    auto const high =
      static_cast<word>((static_cast<wide>(multiplier_) * static_cast<word>(numerator)) >> bits);
    return static_cast<Index>(static_cast<word>(high + static_cast<word>(numerator)) >> shift_);
  }

  /// Smallest count of divisors that covers `numerator`.
  [[nodiscard]] DWCONV_HOST_DEVICE constexpr Index quotient_up(Index numerator) const noexcept
  {
    return quotient(numerator + (divisor_ - 1));
  }

 private:
  __extension__ typedef unsigned __int128 wide128;
  using wide                = std::conditional_t<sizeof(Index) == 4, std::uint64_t, wide128>;
  static constexpr int bits = 8 * sizeof(Index);

  Index divisor_   = 1;
  word multiplier_ = 1;
  int shift_       = 0;
};

}  // namespace dwconv
