// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <dwconv/problem/descriptor.hpp>

namespace examples {

/// One `--name value` and the variable it sets; a bool is set by its name alone.
struct option {
  char const* name;
  char const* meaning;
  std::variant<std::int64_t*, double*, std::string*, bool*, dwconv::extent2*, dwconv::padding2*,
               dwconv::layout*>
    target;
};

namespace option_text {

template <typename Number>
[[nodiscard]] bool read_number(std::string_view text, Number& number)
{
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

/// Whole numbers between separators, all of them or none.
[[nodiscard]] inline std::vector<std::int64_t> read_numbers(std::string_view text, char separator)
{
  std::vector<std::int64_t> numbers;
  while (true) {
    auto const cut = text.find(separator);
    if (!read_number(text.substr(0, cut), numbers.emplace_back())) { return {}; }
    if (cut == std::string_view::npos) { return numbers; }
    text.remove_prefix(cut + 1);
  }
}

// Each of these sets `value` and returns "", or says what the text is not.

inline char const* set(std::string_view text, std::int64_t& value)
{
  return read_number(text, value) ? "" : " is no whole number of 64 bits";
}

inline char const* set(std::string_view text, double& value)
{
  return read_number(text, value) ? "" : " is no number";
}

inline char const* set(std::string_view text, std::string& value)
{
  value = text;
  return text.empty() ? " is empty" : "";
}

inline char const* set(std::string_view text, dwconv::extent2& value)
{
  auto const numbers = read_numbers(text, 'x');
  if (numbers.empty() || numbers.size() > 2) {
    return " is neither a whole number nor HEIGHTxWIDTH";
  }
  value = {numbers.front(), numbers.back()};
  return "";
}

inline char const* set(std::string_view text, dwconv::padding2& value)
{
  auto const n = read_numbers(text, ',');
  if (n.size() == 1) {
    value = {n[0], n[0], n[0], n[0]};
  } else if (n.size() == 4) {
    value = {.top = n[0], .bottom = n[1], .left = n[2], .right = n[3]};
  } else {
    return " is neither a whole number nor TOP,BOTTOM,LEFT,RIGHT";
  }
  return "";
}

inline char const* set(std::string_view text, dwconv::layout& value)
{
  for (auto const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
    if (text == name_of(order)) {
      value = order;
      return "";
    }
  }
  return " is neither nchw nor nhwc";
}

inline void print(std::vector<option> const& options)
{
  for (option const& o : options) { std::printf("  --%-12s %s\n", o.name, o.meaning); }
  std::printf("  --%-12s %s\n", "help", "print this and stop");
}

}  // namespace option_text

/// Sets the options that were given.
///
/// @return False where `--help` was asked for, and printed.
/// @throws std::invalid_argument that names the option, its value and what it should have been.
[[nodiscard]] inline bool read_command_line(int argc, char** argv,
                                            std::vector<option> const& options)
{
  auto const find = [&](std::string const& name) -> option const& {
    for (option const& o : options) {
      if (name == std::string{"--"} + o.name) { return o; }
    }
    throw std::invalid_argument{"unknown option " + name + " (--help lists them)"};
  };
  for (int i = 1; i < argc; ++i) {
    std::string const name = argv[i];
    if (name == "--help") {
      option_text::print(options);
      return false;
    }
    option const& chosen = find(name);
    if (bool* const* flag = std::get_if<bool*>(&chosen.target)) {
      **flag = true;
      continue;
    }
    if (++i == argc) { throw std::invalid_argument{name + " needs a value"}; }
    std::string const text = argv[i];
    auto const take        = [&](auto* target) -> std::string {
      if constexpr (std::is_same_v<decltype(target), bool*>) {
        return "";
      } else {
        return option_text::set(text, *target);
      }
    };
    std::string const complaint = std::visit(take, chosen.target);
    if (!complaint.empty()) {
      throw std::invalid_argument{name + ": \"" + text + "\"" + complaint};
    }
  }
  return true;
}

}  // namespace examples
