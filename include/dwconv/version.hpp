// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The one place the version is written; CMake reads it from here.
#define DWCONV_VERSION_MAJOR 0
#define DWCONV_VERSION_MINOR 1
#define DWCONV_VERSION_PATCH 0
