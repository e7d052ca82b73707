// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <dwconv/plan/forward_plan.hpp>
#include <dwconv/plan/toeplitz_group_tiles.hpp>
#include <dwconv/problem/traffic.hpp>
#include <dwconv/problem/validate.hpp>

namespace dwconv {

/// "3x5", height first.
[[nodiscard]] inline std::string describe(extent2 extent)
{
  return std::to_string(extent.height) + "x" + std::to_string(extent.width);
}

/// One line: "64x128x256x512 nchw, filter 3x3, stride 1x1, ... -> 64x128x254x510".
[[nodiscard]] inline std::string describe(conv2d_problem const& p)
{
  std::string text = std::to_string(p.batch) + "x" + std::to_string(p.channels) + "x" +
                     describe(p.input) + " " + name_of(p.data_layout) + ", filter " +
                     describe(p.filter) + ", stride " + describe(p.stride) + ", dilation " +
                     describe(p.dilation) + ", pad " + std::to_string(p.pad.top) + "," +
                     std::to_string(p.pad.bottom) + "," + std::to_string(p.pad.left) + "," +
                     std::to_string(p.pad.right) + ", multiplier " + std::to_string(p.multiplier);
  if (validate(p).ok()) {
    text += " -> " + std::to_string(p.batch) + "x" + std::to_string(p.output_channels()) + "x" +
            describe(output_extent(p));
  }
  return text;
}

namespace description {
[[nodiscard]] inline std::string of(compiled_shape const& compiled)
{
  auto const part = [](char const* name, extent2 value) {
    return std::string{name}.append(" ").append(value == extent2{0, 0} ? "any" : describe(value));
  };
  return part("filter", compiled.taps) + "," + part(" stride", compiled.stride) +
         (compiled.slides ? ", which a window slides along" : "");
}

[[nodiscard]] inline std::string of(lattice_tile const& tile)
{
  return "\n  tile of " + std::to_string(tile.images) + " images, " +
         std::to_string(tile.channels) + " channels, " + std::to_string(tile.rows) + " rows by " +
         std::to_string(tile.columns) + " columns of y";
}

/// Which families take a problem, and why not the others.
template <typename Plan>
[[nodiscard]] std::string verdicts_of(Plan const& plan)
{
  std::string text;
  for (verdict const& v : plan.verdicts) {
    bool const chosen = v.family == plan.family;
    text += std::string{"  "} + (chosen ? "family " : "not ") + name_of(v.family) + ": " +
            v.reason + "\n";
  }
  return text;
}

/// The compiled kernel and its tile.
[[nodiscard]] inline std::string tile_of(forward_plan const& plan)
{
  std::string text = "  compiled for " + of(plan.compiled);
  switch (plan.family) {
    case kernel_family::direct:
      text += ", " + std::string{plan.direct.index == index_width::bits32 ? "32" : "64"} +
              "-bit indices\n";
      text +=
        "  tile of " + std::to_string(plan.direct.threads) + " neighbouring outputs, one a thread";
      break;
    case kernel_family::window: {
      if (plan.compiled.any_filter()) {
        text += of(plan.any_filter.tile);
        break;
      }
      tile_shape const tile = plan.window.tile;
      std::int64_t const chunks =
        geometry::divide_up(geometry::steps_for(plan.problem, tile.rows), tile.steps);
      text += "\n  tile of " + std::to_string(tile.planes) + " planes of y, " +
              std::to_string(tile.rows) + " rows by " + std::to_string(tile.columns) +
              " columns, in " + std::to_string(chunks) + (chunks == 1 ? " chunk" : " chunks") +
              "; at most " + std::to_string(plan.window.rows_per_thread) + " rows by " +
              std::to_string(plan.window.piece.columns) + " columns a thread";
      break;
    }
    case kernel_family::toeplitz: {
      toeplitz_tile const tile = plan.toeplitz.tile;
      text +=
        "\n  tile of " + std::to_string(tile.images) + " images, " + std::to_string(tile.channels) +
        " channels, " + std::to_string(tile.rows) + " rows by " + std::to_string(tile.columns) +
        " columns; " + std::to_string(plan.toeplitz.walk) + " rows a walk, filter " +
        (toeplitz_holds_filter(plan.problem, toeplitz_begin(plan.problem)) ? "in registers"
                                                                           : "in shared memory") +
        (tile.kept ? "" : ", results straight to y");
      text += plan.toeplitz.groups
                ? "; by warpgroups"
                : std::string{toeplitz_groups_declined(plan.problem, plan.device)};
      break;
    }
  }
  return text;
}

/// Grid and least traffic.
[[nodiscard]] inline std::string launch_of(std::int64_t blocks, int threads, int shared_bytes,
                                           traffic const& least)
{
  return "\n  " + std::to_string(blocks) + " blocks of " + std::to_string(threads) + " threads, " +
         std::to_string(shared_bytes) + " bytes of shared memory each\n  at least " +
         std::to_string(least.bytes_read) + " bytes read and " +
         std::to_string(least.bytes_written) + " written\n";
}
}  // namespace description

/// Several lines: the problem, the family and why, why not the others, tile, threads, shared
/// memory, least traffic.
[[nodiscard]] inline std::string describe(forward_plan const& plan)
{
  std::string const text =
    "forward " + std::string{name_of(plan.element)} + " " + describe(plan.problem) + "\n";
  if (!plan.outcome.ok()) { return text + "  no plan: " + plan.outcome.message() + "\n"; }
  return text + description::verdicts_of(plan) + description::tile_of(plan) +
         description::launch_of(plan.blocks, plan.threads, plan.shared_bytes,
                                forward_traffic(plan.problem, plan.element));
}

}  // namespace dwconv
