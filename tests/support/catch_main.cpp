// SPDX-License-Identifier: Apache-2.0

// main() of a test program. Catch2 3 brings its own: link Catch2::Catch2WithMain there, and this
// file is empty.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
