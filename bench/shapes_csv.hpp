// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <istream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dwconv/problem/descriptor.hpp>

#include "csv_rows.hpp"

namespace dwconv_bench {

/// One line of a shapes file.
struct named_shape {
  std::string id;
  dwconv::conv2d_problem problem;  ///< In NCHW; a cell sets its own layout.
};

namespace shapes_csv {

inline constexpr std::array<std::string_view, 16> columns{
  "id", "n",       "c",          "h",        "w",         "kh", "kw", "sh",
  "sw", "pad_top", "pad_bottom", "pad_left", "pad_right", "dh", "dw", "multiplier"};

/// An id is one part of a benchmark's name, which slashes separate and regular expressions select.
[[nodiscard]] inline std::string id_of(csv::row const& row)
{
  constexpr std::string_view allowed =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  std::string const id{row.text("id")};
  if (id.empty()) { row.at.fail("id", "is empty"); }
  if (id.find_first_not_of(allowed) != std::string::npos) {
    row.at.fail("id", "'" + id + "' holds more than letters, digits, '_', '.' and '-'");
  }
  return id;
}

[[nodiscard]] inline dwconv::conv2d_problem problem_of(csv::row const& row)
{
  // Of several mistakes the first column's is told.
  for (std::string_view const column : std::span{columns}.subspan(1)) {
    static_cast<void>(row.count(column));
  }
  return {.batch      = row.count("n"),
          .channels   = row.count("c"),
          .multiplier = row.count("multiplier"),
          .input      = {row.count("h"), row.count("w")},
          .filter     = {row.count("kh"), row.count("kw")},
          .stride     = {row.count("sh"), row.count("sw")},
          .dilation   = {row.count("dh"), row.count("dw")},
          .pad        = {.top    = row.count("pad_top"),
                         .bottom = row.count("pad_bottom"),
                         .left   = row.count("pad_left"),
                         .right  = row.count("pad_right")}};
}

}  // namespace shapes_csv

/// Reads shapes from CSV text called `file` in complaints.
///
/// @throws usage_error naming file, line and column of the first mistake.
[[nodiscard]] inline std::vector<named_shape> read_shapes(std::istream& text,
                                                          std::string const& file)
{
  std::vector<named_shape> shapes;
  std::map<std::string, int> line_of_id;
  csv::read_rows(text, file, shapes_csv::columns, "shape", [&](csv::row const& row) {
    std::string const id             = shapes_csv::id_of(row);
    auto const [earlier, first_time] = line_of_id.emplace(id, row.at.line);
    if (!first_time) {
      row.at.fail("id", "'" + id + "' is also on line " + std::to_string(earlier->second));
    }
    shapes.push_back({id, shapes_csv::problem_of(row)});
  });
  return shapes;
}

[[nodiscard]] inline std::vector<named_shape> read_shapes(std::string const& file)
{
  std::ifstream text{file};
  if (!text) { throw usage_error{file + ": cannot be read (--shapes=FILE names another)"}; }
  return read_shapes(text, file);
}

}  // namespace dwconv_bench
