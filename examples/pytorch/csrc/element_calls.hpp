// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include <driver_types.h>

#include <dwconv/core/dtype.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/problem/descriptor.hpp>

namespace dwconv_torch {

/// What follows the sum and the bias. The numbers are those of `activations` in
/// dwconv_torch/ops.py.
enum class activation : std::uint8_t { none, relu, relu6, silu, hardswish, gelu, gelu_tanh };

/// Where a call runs.
struct place {
  int device;
  cudaStream_t stream;
};

/// Whether a library holds machine code for a device; `unknown` where CUDA could not tell for now.
enum class machine_code : std::uint8_t { missing, there, unknown };

/// What can be asked of one element type. A type's .cu file fills it in, so a library has the types
/// whose files were linked, and no other file sees a kernel.
struct element_calls {
  using problem = dwconv::conv2d_problem;
  using status  = dwconv::status;

  status (*forward)(problem const&, place, void const* x, void const* filter, void const* bias,
                    activation, void* y);
  status (*backward_data)(problem const&, place, void const* dy, void const* filter, void* dx);
  status (*backward_filter)(problem const&, place, void const* x, void const* dy, void* dfilter,
                            void* scratch, std::int64_t scratch_bytes);
  status (*backward_bias)(problem const&, place, void const* dy, void* dbias, void* scratch,
                          std::int64_t scratch_bytes);
  /// Bytes of scratch memory that the two above want.
  std::int64_t (*filter_scratch)(problem const&, int device);
  std::int64_t (*bias_scratch)(problem const&, int device);
  /// The plan of a forward call, in words.
  std::string (*describe)(problem const&, int device);
  /// Of this library, for a device, which should be the current one.
  machine_code (*runs_on)(int device);
};

/// The calls of an element type, or null where its file was not linked.
[[nodiscard]] element_calls const* calls_of(dwconv::dtype element);

/// Changes with what two binaries must agree on to hand calls from one to the other. Sizes do not
/// tell all: whoever changes members of these types, or what they take and mean, raises the first
/// number by hand.
inline constexpr std::uint64_t calls_layout = 2 << 24 | sizeof(element_calls) << 16 |
                                              sizeof(dwconv::conv2d_problem) << 8 |
                                              sizeof(dwconv::status);

/// `calls_of` for another binary: a `dwconv::dtype` as a number; null also where the layouts
/// differ.
using calls_lookup = element_calls const* (*)(std::uint64_t layout, int element);

/// Makes the calls of an element type known, while the library is loaded.
struct registered_calls {
  registered_calls(dwconv::dtype element, element_calls const& calls);
};

}  // namespace dwconv_torch
