// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <dwconv/core/dtype.hpp>
#include <dwconv/problem/layout.hpp>

#include "measure_forward.hpp"
#include "options.hpp"
#include "shapes_csv.hpp"

namespace dwconv_bench {

/// What times one direction in one element type. A new direction adds its rows here and its word
/// to `known_directions`.
struct instrument {
  std::string_view direction;
  dwconv::dtype dtype;
  measurement (*measure)(bench_session&, dwconv::conv2d_problem const&,
                         std::optional<dwconv::window_policy> const&);
};

inline constexpr instrument instruments[] = {
  {"forward", dwconv::dtype::float32, &measure_forward<float>},
  {"forward", dwconv::dtype::float16, &measure_forward<__half>},
  {"forward", dwconv::dtype::bfloat16, &measure_forward<__nv_bfloat16>},
  {"forward", dwconv::dtype::float64, &measure_forward<double>},
  {"backward_data", dwconv::dtype::float32, &measure_backward_data<float>},
  {"backward_data", dwconv::dtype::float16, &measure_backward_data<__half>},
  {"backward_data", dwconv::dtype::bfloat16, &measure_backward_data<__nv_bfloat16>},
  {"backward_data", dwconv::dtype::float64, &measure_backward_data<double>},
  {"backward_filter", dwconv::dtype::float32, &measure_backward_filter<float>},
  {"backward_filter", dwconv::dtype::float16, &measure_backward_filter<__half>},
  {"backward_filter", dwconv::dtype::bfloat16, &measure_backward_filter<__nv_bfloat16>},
  {"backward_filter", dwconv::dtype::float64, &measure_backward_filter<double>},
  {"backward", dwconv::dtype::float32, &measure_backward<float>},
  {"backward", dwconv::dtype::float16, &measure_backward<__half>},
  {"backward", dwconv::dtype::bfloat16, &measure_backward<__nv_bfloat16>},
  {"backward", dwconv::dtype::float64, &measure_backward<double>},
};

/// One row of the result.
struct cell {
  std::string name;  ///< <direction>/<dtype>/<layout>/<shape id>, and of some /<tile>
  instrument with;
  dwconv::conv2d_problem problem;
  std::optional<dwconv::window_policy> tile{};  ///< Instead of the planned one.
};

/// Every combination that the options ask for.
[[nodiscard]] inline std::vector<cell> cells_of(bench_options const& options,
                                                std::vector<named_shape> const& shapes)
{
  auto const asked = [](std::vector<std::string> const& words, std::string_view word) {
    return words.empty() || std::find(words.begin(), words.end(), word) != words.end();
  };
  std::vector<cell> cells;
  for (instrument const& with : instruments) {
    std::string const dtype = name_of(with.dtype);
    if (!asked(options.directions, with.direction) || !asked(options.dtypes, dtype)) { continue; }
    for (dwconv::layout const order : {dwconv::layout::nchw, dwconv::layout::nhwc}) {
      if (!asked(options.layouts, name_of(order))) { continue; }
      for (named_shape const& shape : shapes) {
        cell one{std::string{with.direction} + "/" + dtype + "/" + name_of(order) + "/" + shape.id,
                 with, shape.problem};
        one.problem.data_layout = order;
        cells.push_back(std::move(one));
      }
    }
  }
  return cells;
}

}  // namespace dwconv_bench
