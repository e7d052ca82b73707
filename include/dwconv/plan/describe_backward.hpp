// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <dwconv/plan/backward.hpp>
#include <dwconv/plan/backward_bias.hpp>
#include <dwconv/plan/backward_data.hpp>
#include <dwconv/plan/backward_filter.hpp>
#include <dwconv/plan/describe.hpp>

namespace dwconv {

namespace description {

[[nodiscard]] inline std::string headline(char const* direction, dtype element,
                                          conv2d_problem const& problem)
{
  return std::string{direction}.append(" ").append(name_of(element)) + " " + describe(problem) +
         "\n";
}

[[nodiscard]] inline std::string index_words(index_width index)
{
  return std::string{index == index_width::bits32 ? "32" : "64"} + "-bit indices";
}

/// A plan of sums over the batch, in whole.
template <typename Plan>
[[nodiscard]] std::string of_sums(char const* direction, Plan const& plan, traffic const& least)
{
  std::string text = headline(direction, plan.element, plan.problem);
  if (!plan.outcome.ok()) { return text + "  no plan: " + plan.outcome.message() + "\n"; }
  split_sum const& split = plan.direct.split;
  return text + verdicts_of(plan) + "  " + std::to_string(split.splits) + " splits of " +
         std::to_string(split.per_split * split.unit_terms) + " terms, at most " +
         std::to_string(split.longest_chain()) + " additions one after the other, " +
         index_words(plan.direct.index) +
         launch_of(plan.blocks, plan.threads, plan.shared_bytes, least) + "  " +
         std::to_string(workspace_bytes(plan)) + " bytes of workspace\n";
}

/// What one block of the window family takes of a sum.
[[nodiscard]] inline std::string share_of(window_filter_policy const& w, bool whole_planes,
                                          char const* channels)
{
  std::string const planes = std::to_string(w.part) + " images of " + std::to_string(w.channels) +
                             " " + channels + " a block, " + std::to_string(w.images) +
                             " side by side, ";
  return "  " + planes +
         (whole_planes
            ? std::string{"whole planes"}
            : "strips of " + std::to_string(w.strip) + " rows by " + std::to_string(w.columns) +
                " columns in chunks of " + std::to_string(w.steps));
}

[[nodiscard]] inline std::string splits_of(int splits, std::int64_t chain)
{
  return "; " + std::to_string(splits) + " splits, at most " + std::to_string(chain) +
         " additions one after the other";
}

[[nodiscard]] inline std::string share_of(backward_filter_plan const& plan)
{
  window_filter_policy const& w = plan.window;
  window_filter_layout const layout{plan.problem, w, static_cast<int>(size_in_bytes(plan.element))};
  return share_of(w, layout.whole_planes, "output channels") +
         splits_of(split_count(plan), longest_chain(plan));
}

/// The same of its kernel for any filter.
[[nodiscard]] inline std::string share_of_taps(backward_filter_plan const& plan)
{
  any_filter_gradient_policy const& a = plan.any_filter;
  return "  for any filter: " + std::to_string(a.tap_rows) + " by " +
         std::to_string(a.tap_columns) + " taps a block, " + std::to_string(a.per_split) +
         " units of " + std::to_string(a.images) + " images, " + std::to_string(a.rows) +
         " rows by " + std::to_string(a.columns) + " columns of dy; " +
         std::to_string(split_count(plan)) + " splits, at most " +
         std::to_string(longest_chain(plan)) + " additions one after the other";
}

/// What one warp of the toeplitz family takes of a sum.
[[nodiscard]] inline std::string share_of_warp(backward_filter_plan const& plan)
{
  toeplitz_gradient_policy const& t = plan.toeplitz;
  return "  " + std::to_string(t.tap_rows) + " by " + std::to_string(t.tap_columns) +
         " taps a warp, in units of " + std::to_string(t.images) + " images, " +
         std::to_string(t.strip) + " rows by " + std::to_string(t.blocks * gradient_block) +
         " columns in chunks of " + std::to_string(t.steps) + "; " +
         std::to_string(split_count(plan)) + " splits, at most " +
         std::to_string(longest_chain(plan)) + " additions one after the other";
}

}  // namespace description

/// Several lines: the problem, the family and why, why not the others, how it is launched, least
/// traffic.
[[nodiscard]] inline std::string describe(backward_data_plan const& plan)
{
  using namespace description;
  std::string text = headline("backward_data", plan.element, plan.problem);
  if (!plan.outcome.ok()) { return text + "  no plan: " + plan.outcome.message() + "\n"; }
  text += verdicts_of(plan);
  if (plan.family == kernel_family::direct) {
    text += "  tile of " + std::to_string(plan.direct.threads) +
            " neighbouring elements of dx, one a thread, " + index_words(plan.direct.index);
  } else if (plan.spreads) {
    tile_shape const& tile = plan.window.tile;
    text += "  tile of " + std::to_string(tile.planes) + " planes of dx, " +
            std::to_string(tile.rows) + " groups of " + std::to_string(plan.problem.stride.height) +
            " rows, " + std::to_string(tile.steps) + " rows of dy at a time; " +
            std::to_string(plan.window.rows_per_thread) + " by " +
            std::to_string(plan.window.piece.columns) + " groups a thread";
  } else {
    text += "  with the filter turned, as the forward convolution of dy:\n" + tile_of(plan.turned);
  }
  return text + launch_of(plan.blocks, plan.threads, plan.shared_bytes,
                          backward_data_traffic(plan.problem, plan.element));
}

/// The same, and how the sum is split, its longest chain of additions, and the workspace. The
/// traffic is that of a gradient of the elements' own type.
[[nodiscard]] inline std::string describe(backward_filter_plan const& plan)
{
  using namespace description;
  traffic const least = plan.outcome.ok()
                          ? backward_filter_traffic(plan.problem, plan.element, plan.element)
                          : traffic{};
  if (!plan.outcome.ok() || plan.family == kernel_family::direct) {
    return of_sums("backward_filter", plan, least);
  }
  bool const window = plan.family == kernel_family::window;
  return headline("backward_filter", plan.element, plan.problem) + verdicts_of(plan) +
         (for_any_filter(plan) ? share_of_taps(plan)
          : window             ? share_of(plan)
                               : share_of_warp(plan)) +
         launch_of(plan.blocks, plan.threads, plan.shared_bytes, least) + "  " +
         std::to_string(workspace_bytes(plan)) + " bytes of workspace\n";
}

/// As of `backward_filter_plan`.
[[nodiscard]] inline std::string describe(backward_bias_plan const& plan)
{
  traffic const least =
    plan.outcome.ok() ? backward_bias_traffic(plan.problem, plan.element, plan.element) : traffic{};
  return description::of_sums("backward_bias", plan, least);
}

namespace description {

/// dx and dfilter in one pass.
[[nodiscard]] inline std::string of_joint(backward_plan const& plan)
{
  window_filter_policy const& w = plan.joint.window;
  window_joint_layout const layout{plan.problem, w, static_cast<int>(size_in_bytes(plan.element))};
  return headline("backward_data and backward_filter", plan.element, plan.problem) +
         "  family window, in one pass: " + plan.joint.reason + "\n" +
         share_of(w, layout.whole_planes, "channels") +
         splits_of(split_count(plan), longest_chain(plan)) +
         launch_of(plan.joint.blocks, plan.joint.threads, plan.joint.shared_bytes,
                   backward_traffic(plan.problem, plan.element, plan.element)) +
         "  " + std::to_string(workspace_bytes(plan)) + " bytes of workspace\n";
}

}  // namespace description

/// Those of the gradients that are planned, in one pass or one after the other, and why.
[[nodiscard]] inline std::string describe(backward_plan const& plan)
{
  if (!plan.outcome.ok()) {
    return description::headline("backward", plan.element, plan.problem) +
           "  no plan: " + plan.outcome.message() + "\n";
  }
  std::string const bias = plan.wanted.dbias ? describe(plan.bias) : std::string{};
  if (plan.joint.chosen) { return description::of_joint(plan) + bias; }
  return (plan.wanted.dx && plan.wanted.dfilter
            ? std::string{"dx and dfilter one after the other: "} + plan.joint.reason + "\n"
            : std::string{}) +
         (plan.wanted.dx ? describe(plan.data) : std::string{}) +
         (plan.wanted.dfilter ? describe(plan.filter) : std::string{}) + bias;
}

}  // namespace dwconv
