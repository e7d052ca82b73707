// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

namespace dwconv_bench {

/// What was asked on the command line or in a shapes file makes no sense; one line says why.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One cell cannot be timed here, and nothing is broken: the library refuses the problem, or it
/// does not fit in memory. The other cells go on.
struct cell_refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace dwconv_bench
