// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dwconv/version.hpp>

#if !(defined(__cplusplus) && __cplusplus >= 202002L)
#error "dwconv needs C++20: compile with -std=c++20 (CMake: link dwconv::dwconv, which asks for it)"
#endif

#if defined(__CUDACC_VER_MAJOR__) && (__CUDACC_VER_MAJOR__ * 100 + __CUDACC_VER_MINOR__ < 1204)
#error "dwconv needs CUDA Toolkit 12.4 or newer"
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 750
#error "dwconv needs compute capability 7.5 (sm_75) or newer"
#endif

#if defined(__CUDACC__)
#define DWCONV_HOST_DEVICE __host__ __device__
#else
#define DWCONV_HOST_DEVICE
#endif

// Everything that launches lives in an inline namespace named after the version and the
// architectures compiled for. Without it the linker may keep one shared object's launcher and
// another's machine code, and the launch fails on a GPU that only one of the two was built for.
#define DWCONV_PASTE_(a, b) a##b
#define DWCONV_PASTE(a, b)  DWCONV_PASTE_(a, b)

#define DWCONV_ARCHS_1(a)                                                _sm##a
#define DWCONV_ARCHS_2(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_1(__VA_ARGS__))
#define DWCONV_ARCHS_3(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_2(__VA_ARGS__))
#define DWCONV_ARCHS_4(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_3(__VA_ARGS__))
#define DWCONV_ARCHS_5(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_4(__VA_ARGS__))
#define DWCONV_ARCHS_6(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_5(__VA_ARGS__))
#define DWCONV_ARCHS_7(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_6(__VA_ARGS__))
#define DWCONV_ARCHS_8(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_7(__VA_ARGS__))
#define DWCONV_ARCHS_9(a, ...)                                           DWCONV_PASTE(_sm##a, DWCONV_ARCHS_8(__VA_ARGS__))
#define DWCONV_ARCHS_10(a, ...)                                          DWCONV_PASTE(_sm##a, DWCONV_ARCHS_9(__VA_ARGS__))
#define DWCONV_ARCHS_11(a, ...)                                          DWCONV_PASTE(_sm##a, DWCONV_ARCHS_10(__VA_ARGS__))
#define DWCONV_ARCHS_12(a, ...)                                          DWCONV_PASTE(_sm##a, DWCONV_ARCHS_11(__VA_ARGS__))
#define DWCONV_PICK_ARCHS(a, b, c, d, e, f, g, h, i, j, k, l, name, ...) name
#define DWCONV_ARCHS(...)                                                           \
  DWCONV_PICK_ARCHS(__VA_ARGS__, DWCONV_ARCHS_12, DWCONV_ARCHS_11, DWCONV_ARCHS_10, \
                    DWCONV_ARCHS_9, DWCONV_ARCHS_8, DWCONV_ARCHS_7, DWCONV_ARCHS_6, \
                    DWCONV_ARCHS_5, DWCONV_ARCHS_4, DWCONV_ARCHS_3, DWCONV_ARCHS_2, \
                    DWCONV_ARCHS_1, )                                               \
  (__VA_ARGS__)

#if defined(__CUDA_ARCH_LIST__)
#define DWCONV_TARGETS DWCONV_ARCHS(__CUDA_ARCH_LIST__)
#else
#define DWCONV_TARGETS _host
#endif

#define DWCONV_VERSION_TAG_(major, minor, patch) v##major##_##minor##_##patch
#define DWCONV_VERSION_TAG(major, minor, patch)  DWCONV_VERSION_TAG_(major, minor, patch)
#define DWCONV_ABI                                                                        \
  DWCONV_PASTE(                                                                           \
    DWCONV_VERSION_TAG(DWCONV_VERSION_MAJOR, DWCONV_VERSION_MINOR, DWCONV_VERSION_PATCH), \
    DWCONV_TARGETS)

/// Opens dwconv's versioned inline namespace; a macro because its name is made of macros.
///
/// Hidden, kernels and launchers alike: objects built for sm_90 and for sm_90a, or for real and
/// virtual architectures, have the same list, and two shared objects must not share a launcher then
/// either.
#define DWCONV_ABI_NAMESPACE_BEGIN                                  \
  namespace dwconv {                                                \
  inline namespace DWCONV_ABI __attribute__((visibility("hidden"))) \
  {
#define DWCONV_ABI_NAMESPACE_END \
  }                              \
  }
