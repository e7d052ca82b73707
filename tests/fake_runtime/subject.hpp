// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/plan/planner.hpp>
#include <dwconv/problem/gradient_tensors.hpp>

/// dwconv's doors behind plain functions: nvcc compiles the doors, and g++ the tests.
namespace subject {

using dwconv::conv2d_problem;
using dwconv::forward_plan;
using dwconv::forward_tensors;
using dwconv::status;

status forward(conv2d_problem const& problem, forward_tensors<float> const& tensors,
               cudaStream_t stream);
status forward(conv2d_problem const& problem, forward_tensors<double> const& tensors,
               cudaStream_t stream);
status forward_with_bias(conv2d_problem const& problem, forward_tensors<float> const& tensors,
                         float const* bias, cudaStream_t stream);
/// For a 3x3 filter with stride 1 only.
status forward_3x3(conv2d_problem const& problem, forward_tensors<float> const& tensors,
                   cudaStream_t stream);
forward_plan plan(conv2d_problem const& problem, int device);
status run(forward_plan const& plan, forward_tensors<float> const& tensors, cudaStream_t stream);
status run(forward_plan const& plan, forward_tensors<double> const& tensors, cudaStream_t stream);

status backward_data(conv2d_problem const& problem,
                     dwconv::backward_data_tensors<float> const& tensors, cudaStream_t stream);
status backward_filter(conv2d_problem const& problem,
                       dwconv::backward_filter_tensors<float> const& tensors,
                       dwconv::workspace const& scratch, cudaStream_t stream);
status backward_bias(conv2d_problem const& problem,
                     dwconv::backward_bias_tensors<float> const& tensors,
                     dwconv::workspace const& scratch, cudaStream_t stream);

}  // namespace subject
