// SPDX-License-Identifier: Apache-2.0
#include "subject.hpp"

#include <dwconv/dwconv.cuh>

namespace subject {

status forward(conv2d_problem const& problem, forward_tensors<float> const& tensors,
               cudaStream_t stream)
{
  return dwconv::forward<float>(problem, tensors, stream);
}

status forward(conv2d_problem const& problem, forward_tensors<double> const& tensors,
               cudaStream_t stream)
{
  return dwconv::forward<double>(problem, tensors, stream);
}

status forward_with_bias(conv2d_problem const& problem, forward_tensors<float> const& tensors,
                         float const* bias, cudaStream_t stream)
{
  return dwconv::forward<float>(problem, tensors, stream,
                                dwconv::epilogue::bias{bias} | dwconv::epilogue::relu{});
}

status forward_3x3(conv2d_problem const& problem, forward_tensors<float> const& tensors,
                   cudaStream_t stream)
{
  return dwconv::forward<float, dwconv::taps<3, 3>, dwconv::stride<1, 1>>(problem, tensors, stream);
}

forward_plan plan(conv2d_problem const& problem, int device)
{
  return dwconv::make_forward_plan<float>(problem, device);
}

status run(forward_plan const& plan, forward_tensors<float> const& tensors, cudaStream_t stream)
{
  return dwconv::run(plan, tensors, stream);
}

status run(forward_plan const& plan, forward_tensors<double> const& tensors, cudaStream_t stream)
{
  return dwconv::run(plan, tensors, stream);
}

status backward_data(conv2d_problem const& problem,
                     dwconv::backward_data_tensors<float> const& tensors, cudaStream_t stream)
{
  return dwconv::backward_data<float>(problem, tensors, stream);
}

status backward_filter(conv2d_problem const& problem,
                       dwconv::backward_filter_tensors<float> const& tensors,
                       dwconv::workspace const& scratch, cudaStream_t stream)
{
  return dwconv::backward_filter<float>(problem, tensors, scratch, stream);
}

status backward_bias(conv2d_problem const& problem,
                     dwconv::backward_bias_tensors<float> const& tensors,
                     dwconv::workspace const& scratch, cudaStream_t stream)
{
  return dwconv::backward_bias<float>(problem, tensors, scratch, stream);
}

}  // namespace subject
