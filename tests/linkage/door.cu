// SPDX-License-Identifier: Apache-2.0
// Built into two shared objects, as two parts of one program might each carry dwconv.
#include <dwconv/dwconv.cuh>

/// Code of a call without tensors: `no_device`, or where there is a GPU `null_pointer`.
extern "C" int linkage_call()
{
  dwconv::conv2d_problem const problem{
    .batch = 1, .channels = 1, .input = {3, 3}, .filter = {3, 3}};
  return static_cast<int>(dwconv::forward<float>(problem, {}, cudaStream_t{}).code);
}

extern "C" int linkage_expected()
{
  int devices     = 0;
  bool const some = cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
  return static_cast<int>(some ? dwconv::status_code::null_pointer
                               : dwconv::status_code::no_device);
}
