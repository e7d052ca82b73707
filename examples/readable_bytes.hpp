// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdio>
#include <iterator>
#include <string>

namespace examples {

/// Bytes with a unit a person reads: "4.29 GB".
[[nodiscard]] inline std::string readable_bytes(double bytes)
{
  char const* const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit          = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(units); ++unit) { bytes /= 1000; }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", bytes, units[unit]);
  return text;
}

}  // namespace examples
