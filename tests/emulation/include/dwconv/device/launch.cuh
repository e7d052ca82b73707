// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <tuple>
#include <type_traits>

#include <cuda_runtime_api.h>

#include <dwconv/core/config.hpp>
#include "engine.hpp"

DWCONV_ABI_NAMESPACE_BEGIN

struct launch_shape {
  dim3 grid;
  dim3 block;
  unsigned shared_bytes = 0;
  bool early            = false;
};

/// Runs the grid on the CPU before it returns.
template <typename... Parameters, typename... Arguments>
[[nodiscard]] cudaError_t launch(void (*kernel)(Parameters...), launch_shape const& shape,
                                 cudaStream_t, Arguments const&... arguments)
{
  static_assert((std::is_trivially_copyable_v<std::remove_cv_t<Parameters>> && ...),
                "a kernel's arguments are copied to the device byte by byte");
  static_assert((!std::is_reference_v<Parameters> && ...),
                "a kernel cannot take a reference to the host's memory");
  struct call {
    void (*kernel)(Parameters...);
    std::tuple<std::remove_cv_t<Parameters>...> arguments;
  } made{kernel, {arguments...}};
  return dwconv_emulation::run({.grid         = shape.grid,
                                .block        = shape.block,
                                .shared_bytes = shape.shared_bytes,
                                .body =
                                  [](void* context) {
                                    call const& it = *static_cast<call const*>(context);
                                    std::apply(it.kernel, it.arguments);
                                  },
                                .context = std::addressof(made)});
}

DWCONV_ABI_NAMESPACE_END
