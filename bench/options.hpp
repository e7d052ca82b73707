// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <benchmark/benchmark.h>

#include <dwconv/plan/family.hpp>

#include "usage_error.hpp"

namespace dwconv_bench {

/// What the command line asks for, beside Google Benchmark's own options. An empty list means all.
struct bench_options {
  std::string shapes;
  std::vector<std::string> directions{};
  std::vector<std::string> dtypes{};
  std::vector<std::string> layouts{};
  std::optional<dwconv::kernel_family> family{};
  std::string tiles{};  ///< A file of tiles for window kernels; none if empty.
  int runs       = 25;
  bool check     = true;
  bool list_only = false;  ///< Google Benchmark will name the cells and run none: no GPU needed.
};

namespace command_line {

inline void print_help()
{
  std::printf(
    "dwconv_bench: cold times of depthwise convolutions beside a copy of the same bytes\n"
    "  [--shapes=FILE]      CSV of shapes (default: the zoo)\n"
    "  [--directions=A,B]   of forward, backward_data, backward_filter, backward\n"
    "  [--dtypes=A,B]       of float32, float16, bfloat16, float64\n"
    "  [--layouts=A,B]      of nchw, nhwc\n"
    "  [--family=NAME]      this kernel family instead of the planned one\n"
    "  [--tiles=FILE]       CSV of tiles to measure beside the planned ones of window kernels\n"
    "  [--runs=N]           timed cold runs per cell, the median counts (default 25)\n"
    "  [--check=0|1]        compare sampled outputs with a reference first (default 1)\n"
    "and Google Benchmark's:\n");
  benchmark::PrintDefaultHelp();
}

[[nodiscard]] inline std::string joined(std::span<std::string_view const> words)
{
  std::string text;
  for (std::string_view const word : words) {
    text += (text.empty() ? "" : ", ") + std::string{word};
  }
  return text;
}

[[noreturn]] inline void refuse(std::string_view option, std::string_view value,
                                std::string const& must)
{
  throw usage_error{std::string{option} + ": '" + std::string{value} + "' must be " + must};
}

/// What follows `option=`, if `argument` is that.
[[nodiscard]] inline std::optional<std::string_view> value_of(std::string_view argument,
                                                              std::string_view option)
{
  if (!argument.starts_with(option) || argument.substr(option.size(), 1) != "=") { return {}; }
  return argument.substr(option.size() + 1);
}

[[nodiscard]] inline std::vector<std::string> words_of(std::string_view option,
                                                       std::string_view value,
                                                       std::span<std::string_view const> known)
{
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= value.size();) {
    std::size_t const comma = std::min(value.find(',', begin), value.size());
    std::string_view const word{value.substr(begin, comma - begin)};
    if (std::find(known.begin(), known.end(), word) == known.end()) {
      refuse(option, word, "one of " + joined(known));
    }
    words.emplace_back(word);
    begin = comma + 1;
  }
  return words;
}

[[nodiscard]] inline dwconv::kernel_family family_of(std::string_view value)
{
  std::vector<std::string_view> names;
  for (dwconv::kernel_family const family : dwconv::kernel_families) {
    if (value == name_of(family)) { return family; }
    names.emplace_back(name_of(family));
  }
  refuse("--family", value, "one of " + joined(names));
}

[[nodiscard]] inline int number_of(std::string_view option, std::string_view value, int least,
                                   int most)
{
  int number             = 0;
  auto const [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (code != std::errc{} || end != value.data() + value.size() || number < least ||
      number > most) {
    refuse(option, value, "from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

}  // namespace command_line

/// Words that the filters accept.
inline constexpr std::string_view known_directions[] = {"forward", "backward_data",
                                                        "backward_filter", "backward"};
inline constexpr std::string_view known_dtypes[]  = {"float32", "float16", "bfloat16", "float64"};
inline constexpr std::string_view known_layouts[] = {"nchw", "nhwc"};

/// Takes this program's options out of `arguments`; what stays is Google Benchmark's to judge.
///
/// @throws usage_error naming the option, the value and what it must be.
[[nodiscard]] inline bench_options take_options(std::vector<char*>& arguments,
                                                std::string default_shapes)
{
  using namespace command_line;
  bench_options options{.shapes = std::move(default_shapes)};
  auto const take = [&](std::string_view argument) {
    if (auto const v = value_of(argument, "--shapes")) {
      options.shapes = *v;
    } else if (auto const v = value_of(argument, "--directions")) {
      options.directions = words_of("--directions", *v, known_directions);
    } else if (auto const v = value_of(argument, "--dtypes")) {
      options.dtypes = words_of("--dtypes", *v, known_dtypes);
    } else if (auto const v = value_of(argument, "--layouts")) {
      options.layouts = words_of("--layouts", *v, known_layouts);
    } else if (auto const v = value_of(argument, "--family")) {
      options.family = family_of(*v);
    } else if (auto const v = value_of(argument, "--tiles")) {
      if (v->empty()) { refuse("--tiles", *v, "a file"); }
      options.tiles = *v;
    } else if (auto const v = value_of(argument, "--runs")) {
      options.runs = number_of("--runs", *v, 1, 10000);
    } else if (auto const v = value_of(argument, "--check")) {
      options.check = number_of("--check", *v, 0, 1) == 1;
    } else {
      if (argument.starts_with("--benchmark_list_tests")) {
        options.list_only = !argument.ends_with("=false");
      }
      return false;
    }
    return true;
  };
  std::erase_if(arguments, [&](char* argument) { return argument != nullptr && take(argument); });
  return options;
}

}  // namespace dwconv_bench
