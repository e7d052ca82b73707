// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <dwconv/dispatch/instances.hpp>

#include "cells.hpp"
#include "tile_policy.hpp"
#include "tiles_csv.hpp"

namespace dwconv_bench {

/// The tiles that suit a plan, completed, and how many do not, by the reason.
struct sorted_tiles {
  std::vector<dwconv::window_policy> suitable{};
  std::map<std::string, int> left_out{};
};

/// Of tiles that are the same once they are completed, the first counts.
[[nodiscard]] inline sorted_tiles sort_tiles(dwconv::forward_plan const& plan,
                                             std::vector<dwconv::window_policy> const& tiles)
{
  sorted_tiles sorted;
  for (dwconv::window_policy const& tile : tiles) {
    auto const policy    = complete_policy(plan.problem, tile);
    char const* obstacle = obstacle_to_tile(plan, policy);
    auto const& before   = sorted.suitable;
    if (std::find(before.begin(), before.end(), policy) != before.end()) {
      obstacle = "the same as another";
    }
    if (obstacle == nullptr) {
      sorted.suitable.push_back(policy);
    } else {
      ++sorted.left_out[obstacle];
    }
  }
  return sorted;
}

/// Says on stderr how many tiles a cell goes without: "2 of 9 tiles left out: 2 too many threads".
inline void tell_left_out(std::string const& cell, sorted_tiles const& sorted, std::size_t tiles)
{
  std::string reasons;
  for (auto const& [reason, count] : sorted.left_out) {
    reasons.append(reasons.empty() ? "" : ", ").append(std::to_string(count)).append(" ");
    reasons += reason;
  }
  if (reasons.empty()) { return; }
  std::fprintf(stderr, "dwconv_bench: %s: %zu of %zu tiles left out: %s\n", cell.c_str(),
               tiles - sorted.suitable.size(), tiles, reasons.c_str());
}

/// Puts behind each cell that is planned for a window kernel of its filter a cell for each tile
/// that suits it.
[[nodiscard]] inline std::vector<cell> with_tile_cells(
  std::vector<cell> planned, std::vector<dwconv::window_policy> const& tiles,
  dwconv::device_facts const& device, std::optional<dwconv::kernel_family> family)
{
  std::vector<cell> cells;
  for (cell& one : planned) {
    if (one.with.direction != "forward") {
      cells.push_back(std::move(one));
      continue;
    }
    auto const plan = dwconv::plan_forward(one.problem, one.with.dtype, device,
                                           dwconv::default_instances::shapes, family);
    cell const own  = one;
    cells.push_back(std::move(one));
    if (!has_window_tile(plan)) { continue; }
    sorted_tiles const sorted = sort_tiles(plan, tiles);
    for (dwconv::window_policy const& policy : sorted.suitable) {
      cells.push_back({std::string{own.name}.append("/").append(tile_text(policy)), own.with,
                       own.problem, policy});
    }
    tell_left_out(own.name, sorted, tiles.size());
  }
  return cells;
}

}  // namespace dwconv_bench
