// SPDX-License-Identifier: Apache-2.0
#pragma once

/// @file
/// Every door of dwconv and what they need.

/// @namespace dwconv
/// Depthwise convolution on NVIDIA GPUs.

/// @namespace dwconv::epilogue
/// What may follow the sum of products before an output is stored.
#include <dwconv/backward.cuh>
#include <dwconv/backward_bias.cuh>
#include <dwconv/backward_data.cuh>
#include <dwconv/backward_filter.cuh>
#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/core/element.cuh>
#include <dwconv/core/extent.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/epilogue/epilogue.cuh>
#include <dwconv/forward.cuh>
#include <dwconv/problem/traffic.hpp>
#include <dwconv/version.hpp>
