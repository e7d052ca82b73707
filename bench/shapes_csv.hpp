// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <dwconv/problem/descriptor.hpp>

#include "usage_error.hpp"

namespace dwconv_bench {

/// One line of a shapes file.
struct named_shape {
  std::string id;
  dwconv::conv2d_problem problem;  ///< In NCHW; a cell sets its own layout.
};

namespace shapes_csv {

/// Columns of counts; the column `id` comes beside them. A header may hold them in any order.
inline constexpr std::array<std::string_view, 15> counts{
  "n",       "c",          "h",        "w",         "kh", "kw", "sh",        "sw",
  "pad_top", "pad_bottom", "pad_left", "pad_right", "dh", "dw", "multiplier"};

using count_values = std::array<std::int64_t, counts.size()>;

/// Where a complaint points: "zoo.csv:3: column kh: ...".
struct place {
  std::string_view file;
  int line;

  [[noreturn]] void fail(std::string_view column, std::string const& why) const
  {
    throw usage_error{std::string{file} + ":" + std::to_string(line) + ": column " +
                      std::string{column} + ": " + why};
  }
};

[[nodiscard]] inline std::vector<std::string_view> split(std::string_view line)
{
  std::vector<std::string_view> fields;
  while (true) {
    std::size_t const comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) { return fields; }
    line.remove_prefix(comma + 1);
  }
}

[[nodiscard]] inline std::int64_t count_of(std::string_view text, place const& at,
                                           std::string_view column)
{
  std::int64_t value       = 0;
  auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string const quoted = "'" + std::string{text} + "'";
  if (status == std::errc::result_out_of_range) { at.fail(column, quoted + " exceeds 64 bits"); }
  if (status != std::errc{} || end != text.data() + text.size()) {
    at.fail(column, quoted + " is not a whole number");
  }
  return value;
}

/// Which field of a row holds each column.
[[nodiscard]] inline std::map<std::string_view, std::size_t> header_of(
  std::vector<std::string_view> const& names, place const& at)
{
  auto const is_count = [](std::string_view name) {
    return std::find(counts.begin(), counts.end(), name) != counts.end();
  };
  std::map<std::string_view, std::size_t> header;
  for (std::string_view const name : names) {
    if (name != "id" && !is_count(name)) { at.fail(name, "is none that a shapes file has"); }
    if (!header.emplace(name, header.size()).second) { at.fail(name, "is there twice"); }
  }
  if (!header.contains("id")) { at.fail("id", "is missing"); }
  for (std::string_view const column : counts) {
    if (!header.contains(column)) { at.fail(column, "is missing"); }
  }
  return header;
}

/// An id is one part of a benchmark's name, which slashes separate and regular expressions select.
[[nodiscard]] inline std::string id_of(std::string_view text, place const& at)
{
  constexpr std::string_view allowed =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  if (text.empty()) { at.fail("id", "is empty"); }
  if (text.find_first_not_of(allowed) != std::string_view::npos) {
    at.fail("id", "'" + std::string{text} + "' holds more than letters, digits, '_', '.' and '-'");
  }
  return std::string{text};
}

[[nodiscard]] inline dwconv::conv2d_problem problem_of(count_values const& v)
{
  return {.batch      = v[0],
          .channels   = v[1],
          .multiplier = v[14],
          .input      = {v[2], v[3]},
          .filter     = {v[4], v[5]},
          .stride     = {v[6], v[7]},
          .dilation   = {v[12], v[13]},
          .pad        = {.top = v[8], .bottom = v[9], .left = v[10], .right = v[11]}};
}

}  // namespace shapes_csv

/// Reads shapes from CSV text called `file` in complaints.
///
/// @throws usage_error naming file, line and column of the first mistake.
[[nodiscard]] inline std::vector<named_shape> read_shapes(std::istream& text,
                                                          std::string const& file)
{
  using namespace shapes_csv;
  std::vector<named_shape> shapes;
  std::map<std::string, int> line_of_id;
  std::map<std::string_view, std::size_t> header;
  std::string header_line;
  std::string line;
  place at{file, 0};
  while (std::getline(text, line)) {
    ++at.line;
    if (!line.empty() && line.back() == '\r') { line.pop_back(); }
    if (line.empty()) { continue; }
    if (header.empty()) {
      header_line = line;  // the header's names are views into it
      header      = header_of(split(header_line), at);
      continue;
    }
    auto const fields = split(line);
    auto const field  = [&](std::string_view column) {
      std::size_t const position = header.at(column);
      if (position >= fields.size()) { at.fail(column, "is missing: the row ends before it"); }
      return fields[position];
    };
    if (fields.size() > header.size()) {
      at.fail(std::to_string(header.size() + 1), "lies past the last column of the header");
    }
    std::string const id             = id_of(field("id"), at);
    auto const [earlier, first_time] = line_of_id.emplace(id, at.line);
    if (!first_time) {
      at.fail("id", "'" + id + "' is also on line " + std::to_string(earlier->second));
    }
    count_values values{};
    for (std::size_t i = 0; i < counts.size(); ++i) {
      values[i] = count_of(field(counts[i]), at, counts[i]);
    }
    shapes.push_back({id, problem_of(values)});
  }
  if (shapes.empty()) {
    place{file, at.line + 1}.fail("id", header.empty() ? "the file is empty" : "no shape follows");
  }
  return shapes;
}

[[nodiscard]] inline std::vector<named_shape> read_shapes(std::string const& file)
{
  std::ifstream text{file};
  if (!text) { throw usage_error{file + ": cannot be read (--shapes=FILE names another)"}; }
  return read_shapes(text, file);
}

}  // namespace dwconv_bench
