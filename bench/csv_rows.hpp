// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <istream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "usage_error.hpp"

namespace dwconv_bench::csv {

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

/// Which field of a row holds each column.
using header = std::map<std::string_view, std::size_t>;

/// One row that follows the header.
struct row {
  place at;
  header const& columns;
  std::vector<std::string_view> fields;

  [[nodiscard]] std::string_view text(std::string_view column) const
  {
    std::size_t const position = columns.at(column);
    if (position >= fields.size()) { at.fail(column, "is missing: the row ends before it"); }
    return fields[position];
  }

  [[nodiscard]] std::int64_t count(std::string_view column) const
  {
    std::string_view const digits = text(column);
    std::int64_t value            = 0;
    auto const [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    std::string const quoted = "'" + std::string{digits} + "'";
    if (status == std::errc::result_out_of_range) { at.fail(column, quoted + " exceeds 64 bits"); }
    if (status != std::errc{} || end != digits.data() + digits.size()) {
      at.fail(column, quoted + " is not a whole number");
    }
    return value;
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

[[nodiscard]] inline header header_of(std::vector<std::string_view> const& names,
                                      std::span<std::string_view const> columns,
                                      std::string_view kind, place const& at)
{
  header found;
  for (std::string_view const name : names) {
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
      at.fail(name, "is none that a " + std::string{kind} + "s file has");
    }
    if (!found.emplace(name, found.size()).second) { at.fail(name, "is there twice"); }
  }
  for (std::string_view const column : columns) {
    if (!found.contains(column)) { at.fail(column, "is missing"); }
  }
  return found;
}

/// Reads rows below a header that names `columns` in any order; empty lines do not count.
///
/// @param file What complaints call the text.
/// @param kind What a row holds, in one word.
/// @param take Called with each row.
/// @throws usage_error naming file, line and column of the first mistake; also where there is no
/// row.
template <typename Take>
void read_rows(std::istream& text, std::string const& file,
               std::span<std::string_view const> columns, std::string_view kind, Take const& take)
{
  header found;
  std::string header_line;
  std::string line;
  place at{file, 0};
  bool any = false;
  while (std::getline(text, line)) {
    ++at.line;
    if (!line.empty() && line.back() == '\r') { line.pop_back(); }
    if (line.empty()) { continue; }
    if (found.empty()) {
      header_line = line;  // the header's names are views into it
      found       = header_of(split(header_line), columns, kind, at);
      continue;
    }
    row const one{at, found, split(line)};
    if (one.fields.size() > found.size()) {
      at.fail(std::to_string(found.size() + 1), "lies past the last column of the header");
    }
    take(one);
    any = true;
  }
  if (!any) {
    place{file, at.line + 1}.fail(columns.front(), found.empty()
                                                     ? "the file is empty"
                                                     : "no " + std::string{kind} + " follows");
  }
}

}  // namespace dwconv_bench::csv
