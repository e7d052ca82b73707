// SPDX-License-Identifier: Apache-2.0
#pragma once

// Catch2 2 is one header; 3 is a library of many.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // as version 2 has it
#else
#include <catch2/catch.hpp>
#endif
