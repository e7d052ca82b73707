// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include <dwconv/dwconv.cuh>

/// Calls a door as a user's program would, and prints what it said. Without tensors, so that the
/// answer is known: `no_device`, or where there is a GPU `null_pointer`.
int main()
{
  dwconv::conv2d_problem const problem{
    .batch = 1, .channels = 8, .input = {7, 7}, .filter = {3, 3}};
  auto const plan = dwconv::make_forward_plan<float>(problem, dwconv::h200_facts);
  std::printf("%s", dwconv::describe(plan).c_str());

  dwconv::status const status = dwconv::forward<float>(problem, {}, cudaStream_t{});
  std::printf("forward: %s\n", status.message().c_str());
  return status.code == dwconv::status_code::no_device ||
             status.code == dwconv::status_code::null_pointer
           ? 0
           : 1;
}
