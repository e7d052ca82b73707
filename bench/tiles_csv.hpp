// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <fstream>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include <dwconv/kernels/window/policy.hpp>

#include "csv_rows.hpp"

namespace dwconv_bench {

namespace tiles_csv {

inline constexpr std::array<std::string_view, 7> columns{
  "planes", "rows", "columns", "steps", "rows_per_thread", "piece_columns", "piece_rows"};

[[nodiscard]] inline int size_of(csv::row const& row, std::string_view column, int least = 1)
{
  constexpr int most       = 1 << 16;  // far more than fit; products of them fit 64 bits
  std::int64_t const value = row.count(column);
  if (value < least || value > most) {
    row.at.fail(column, "'" + std::to_string(value) + "' must be from " + std::to_string(least) +
                          " to " + std::to_string(most));
  }
  return static_cast<int>(value);
}

}  // namespace tiles_csv

/// Reads tiles, not yet completed for a shape, from CSV text called `file` in complaints.
///
/// @throws usage_error naming file, line and column of the first mistake.
[[nodiscard]] inline std::vector<dwconv::window_policy> read_tiles(std::istream& text,
                                                                   std::string const& file)
{
  using tiles_csv::size_of;
  std::vector<dwconv::window_policy> tiles;
  csv::read_rows(text, file, tiles_csv::columns, "tile", [&](csv::row const& row) {
    dwconv::window_policy policy{};
    policy.tile            = {.planes  = size_of(row, "planes"),
                              .rows    = size_of(row, "rows"),
                              .columns = size_of(row, "columns"),
                              .steps   = size_of(row, "steps")};
    policy.rows_per_thread = size_of(row, "rows_per_thread");
    policy.piece           = {.columns = size_of(row, "piece_columns"),
                              .rows    = size_of(row, "piece_rows", 0)};
    tiles.push_back(policy);
  });
  return tiles;
}

[[nodiscard]] inline std::vector<dwconv::window_policy> read_tiles(std::string const& file)
{
  std::ifstream text{file};
  if (!text) { throw usage_error{file + ": cannot be read (--tiles=FILE names it)"}; }
  return read_tiles(text, file);
}

}  // namespace dwconv_bench
