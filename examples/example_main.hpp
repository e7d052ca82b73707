// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>

namespace examples {

inline constexpr int exit_good    = 0;
inline constexpr int exit_failed  = 1;
inline constexpr int exit_skipped = 77;  ///< What CTest is told to count as skipped.

/// Runs an example; what it throws becomes one line on stderr and exit status 1.
template <typename Body>
[[nodiscard]] int run_example(Body const& body) noexcept
{
  try {
    return body();
  } catch (std::bad_alloc const&) {
    std::fprintf(stderr, "error: not enough memory on the host\n");
  } catch (std::exception const& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return exit_failed;
}

/// For an example that has nothing to show without a GPU.
[[nodiscard]] inline int skip_without_device()
{
  std::printf("no CUDA device: skipped\n");
  return exit_skipped;
}

/// For an example without options.
inline void take_no_arguments(int argc, char** argv)
{
  if (argc > 1) { throw std::invalid_argument{std::string{argv[0]} + " takes no arguments"}; }
}

}  // namespace examples
