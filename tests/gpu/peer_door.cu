// SPDX-License-Identifier: Apache-2.0
// dwconv's forward door with C linkage, for peer_accuracy.py.
#include <cstdint>
#include <cstdio>

#include <dwconv/dwconv.cuh>

namespace {

template <typename T>
int call(dwconv::conv2d_problem const& problem, void const* x, void const* filter, void* y)
{
  dwconv::status const s = dwconv::forward<T>(
    problem, {static_cast<T const*>(x), static_cast<T const*>(filter), static_cast<T*>(y)}, nullptr);
  if (!s.ok()) { std::fprintf(stderr, "%s\n", s.message().c_str()); }
  return s.ok() ? 0 : 1;
}

}  // namespace

/// `shape` is batch, channels, multiplier, input height and width, filter height and width, stride, padding, dilation,
/// and 1 for channels last; `type` is a `dwconv::dtype`. Enqueued on the default stream; 0 on success.
extern "C" __attribute__((visibility("default"))) int dwconv_forward(std::int64_t const* shape, int type, void const* x,
                                                                     void const* filter, void* y)
{
  dwconv::conv2d_problem const problem{
    .batch       = shape[0],
    .channels    = shape[1],
    .multiplier  = shape[2],
    .input       = {shape[3], shape[4]},
    .filter      = {shape[5], shape[6]},
    .stride      = {shape[7], shape[7]},
    .dilation    = {shape[9], shape[9]},
    .pad         = {shape[8], shape[8], shape[8], shape[8]},
    .data_layout = shape[10] == 1 ? dwconv::layout::nhwc : dwconv::layout::nchw};
  switch (static_cast<dwconv::dtype>(type)) {
    case dwconv::dtype::float16: return call<__half>(problem, x, filter, y);
    case dwconv::dtype::bfloat16: return call<__nv_bfloat16>(problem, x, filter, y);
    case dwconv::dtype::float32: return call<float>(problem, x, filter, y);
    case dwconv::dtype::float64: return call<double>(problem, x, filter, y);
  }
  return 1;
}
