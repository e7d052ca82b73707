// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "forward/scenario.hpp"
#include "support/catch.hpp"

/// Filters and strides that the doors compile a kernel of the window family for; not the one for
/// any filter.
[[nodiscard]] inline std::vector<dwconv::compiled_shape> window_shapes()
{
  std::vector<dwconv::compiled_shape> shapes;
  for (dwconv::compiled_shape const& shape : dwconv::default_instances::shapes) {
    bool const window = shape.family == dwconv::kernel_family::window;
    if (window && shape.taps.height > 0) { shapes.push_back(shape); }
  }
  return shapes;
}

struct plane_counts {
  std::int64_t batch = 1, channels = 1, multiplier = 1;
};

/// A problem with the filter and stride of `shape` whose output is `out`.
[[nodiscard]] inline dwconv::conv2d_problem problem_with_output(dwconv::compiled_shape const& shape,
                                                                dwconv::extent2 out,
                                                                dwconv::padding2 pad       = {},
                                                                plane_counts const& counts = {})
{
  auto const input = [](std::int64_t outputs, std::int64_t stride, std::int64_t taps,
                        std::int64_t padding) { return (outputs - 1) * stride + taps - padding; };
  return {.batch      = counts.batch,
          .channels   = counts.channels,
          .multiplier = counts.multiplier,
          .input = {input(out.height, shape.stride.height, shape.taps.height, pad.top + pad.bottom),
                    input(out.width, shape.stride.width, shape.taps.width, pad.left + pad.right)},
          .filter = shape.taps,
          .stride = shape.stride,
          .pad    = pad};
}

/// The window family gives the bits that the direct family gives, and writes nothing else.
template <typename T, typename Door = family_door, typename Direct = family_door>
[[nodiscard]] agreement same_as_direct(dwconv::conv2d_problem const& problem,
                                       misalignment misalign     = {},
                                       Door const& door          = {dwconv::kernel_family::window},
                                       Direct const& direct_door = {dwconv::kernel_family::direct})
{
  auto const c           = real_case<T>(problem, 17);
  aftermath<T> window    = run_case(c, door, misalign);
  aftermath<T> direct    = run_case(c, direct_door, misalign);
  std::string const what = std::string{name_of(dwconv::dtype_of<T>)} + " " + describe(problem);
  if (!window.outcome.ok()) { return {what + ": " + window.outcome.message()}; }
  if (!direct.outcome.ok()) { return {what + ": direct: " + direct.outcome.message()}; }
  if (window.device != cudaSuccess) { return {what + ": device error"}; }
  if (!window.only_y_written) { return {what + ": wrote outside y"}; }
  for (std::size_t i = 0; i < window.y.size(); ++i) {
    if (std::memcmp(&window.y[i], &direct.y[i], sizeof(T)) != 0) {
      std::ostringstream text;
      text.precision(17);
      text << what << ": y[" << i << "] is " << dwconv_reference::to_double(window.y[i])
           << ", direct gives " << dwconv_reference::to_double(direct.y[i]);
      return {text.str()};
    }
  }
  return {};
}

/// The same for element type number `which`, modulo four.
[[nodiscard]] inline agreement same_as_direct(std::size_t which,
                                              dwconv::conv2d_problem const& problem,
                                              misalignment misalign = {})
{
  switch (which % 4) {
    case 0: return same_as_direct<float>(problem, misalign);
    case 1: return same_as_direct<__half>(problem, misalign);
    case 2: return same_as_direct<double>(problem, misalign);
    default: return same_as_direct<__nv_bfloat16>(problem, misalign);
  }
}

/// A tile of the test's own making.
struct forced_tile {
  /// Cut down to y's size; one plane where it has parts of rows. No steps stand for one chunk.
  dwconv::tile_shape tile{};
  std::optional<dwconv::window_piece_shape> piece{};  ///< None: the widest that slides.
  int rows_per_thread = 0;                            ///< Zero: as many as may be.
  int warps           = 0;                            ///< Zero: as many as are needed.
};

[[nodiscard]] inline std::string describe(forced_tile const& f)
{
  return "tile " + std::to_string(f.tile.planes) + "x" + std::to_string(f.tile.rows) + "x" +
         std::to_string(f.tile.columns) + ", steps " + std::to_string(f.tile.steps) + ", piece " +
         (f.piece ? std::to_string(f.piece->rows) + "x" + std::to_string(f.piece->columns) : "") +
         ", rows " + std::to_string(f.rows_per_thread) + ", warps " + std::to_string(f.warps);
}

/// The plan for a problem of a known filter with its tile replaced; fails the test where the tile
/// breaks a rule that planning keeps.
template <typename T>
[[nodiscard]] dwconv::forward_plan forced_plan(dwconv::conv2d_problem const& p,
                                               forced_tile const& wanted)
{
  constexpr int bytes = static_cast<int>(sizeof(T));
  auto plan           = dwconv::make_forward_plan<T>(p, 0, dwconv::kernel_family::window);
  REQUIRE(plan.outcome.ok());
  REQUIRE(!plan.compiled.any_filter());
  dwconv::extent2 const out     = dwconv::output_extent(p);
  dwconv::window_policy& policy = plan.window;
  dwconv::tile_shape& tile      = policy.tile;
  tile                          = wanted.tile;
  tile.rows                     = static_cast<int>(std::min<std::int64_t>(tile.rows, out.height));
  tile.columns                  = static_cast<int>(std::min<std::int64_t>(tile.columns, out.width));
  if (tile.columns < out.width) { tile.planes = 1; }
  auto const most_steps = static_cast<int>(dwconv::geometry::steps_for(p, tile.rows));
  if (tile.steps == 0 || tile.steps > most_steps) { tile.steps = most_steps; }
  bool const one_chunk = tile.steps == most_steps;

  auto const list     = dwconv::window_pieces(p.filter, p.stride, bytes);
  policy.piece        = wanted.piece.value_or(list.shapes[list.shapes[0].rows > 0 ? 1 : 0]);
  int const most_rows = policy.piece.rows > 0 ? policy.piece.rows : tile.rows;
  policy.rows_per_thread =
    std::min(tile.rows, wanted.rows_per_thread > 0 ? wanted.rows_per_thread : most_rows);
  if (!one_chunk) { policy.rows_per_thread = tile.rows; }
  std::int64_t const pieces = dwconv::geometry::divide_up(tile.columns, policy.piece.columns) *
                              dwconv::geometry::divide_up(tile.rows, policy.rows_per_thread) *
                              tile.planes;
  int const warps = static_cast<int>((pieces + 31) / 32);
  policy.threads  = 32 * std::max(warps, wanted.warps);
  REQUIRE(policy.threads <= dwconv::window_threads);
  REQUIRE((policy.piece.rows == 0 || (one_chunk && policy.rows_per_thread <= policy.piece.rows)));
  REQUIRE((one_chunk || tile.steps % (16 / bytes) == 0));
  REQUIRE(dwconv::window_tiles::has_lanes(p, tile));
  REQUIRE((tile.planes <= 32 || (one_chunk && tile.rows == out.height)));

  plan.threads = policy.threads;
  plan.blocks  = dwconv::lay_out_tile(p, tile, bytes, 0).tiles;
  plan.shared_bytes =
    static_cast<int>(dwconv::window_tiles::shared_bytes(p, tile, bytes, policy.piece.columns));
  REQUIRE(plan.shared_bytes <= plan.device.shared_bytes_per_block);
  return plan;
}

/// Chunks of each tile of a plan.
[[nodiscard]] inline int chunks_of(dwconv::forward_plan const& plan)
{
  return dwconv::lay_out_tile(plan.problem, plan.window.tile,
                              static_cast<int>(size_in_bytes(plan.element)), 0)
    .chunks;
}

/// The run-time door with a tile of the test's own.
template <typename Epilogue  = dwconv::epilogue::identity,
          typename Instances = dwconv::default_instances>
struct forced_door {
  forced_tile tile;
  Epilogue epilogue{};

  template <typename T>
  [[nodiscard]] dwconv::status operator()(dwconv::conv2d_problem const& problem,
                                          dwconv::forward_tensors<T> const& tensors,
                                          cudaStream_t stream) const
  {
    return dwconv::run<T, Instances>(forced_plan<T>(problem, tile), tensors, stream, epilogue);
  }
};

/// The direct family's bits from a tile of the test's own.
template <typename T>
[[nodiscard]] agreement same_as_direct(dwconv::conv2d_problem const& problem,
                                       forced_tile const& tile, misalignment misalign = {})
{
  agreement found = same_as_direct<T>(problem, misalign, forced_door<>{tile});
  if (!found) { found.complaint += "; " + describe(tile); }
  return found;
}

/// The same for element type number `which`, modulo four; steps are counted in 16 bytes.
[[nodiscard]] inline agreement same_as_direct(std::size_t which,
                                              dwconv::conv2d_problem const& problem,
                                              forced_tile tile, misalignment misalign = {})
{
  int const piece = which % 4 == 0 ? 4 : which % 4 == 2 ? 2 : 8;
  tile.tile.steps *= piece;
  switch (which % 4) {
    case 0: return same_as_direct<float>(problem, tile, misalign);
    case 1: return same_as_direct<__half>(problem, tile, misalign);
    case 2: return same_as_direct<double>(problem, tile, misalign);
    default: return same_as_direct<__nv_bfloat16>(problem, tile, misalign);
  }
}
