// SPDX-License-Identifier: Apache-2.0

// main() of a test program that needs a GPU: without one it says so and exits with what CTest
// counts as skipped.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include <cstdio>

#include <cuda_runtime_api.h>

int main(int argc, char* argv[])
{
  constexpr int skipped = 77;  // SKIP_RETURN_CODE in CMake
  int devices           = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no CUDA device: skipped");
    return skipped;
  }
  return Catch::Session().run(argc, argv);
}
