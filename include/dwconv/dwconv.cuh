// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Every door of dwconv and what they need.
#include <dwconv/core/device_facts.hpp>
#include <dwconv/core/dtype.hpp>
#include <dwconv/core/element.cuh>
#include <dwconv/core/extent.hpp>
#include <dwconv/core/status.hpp>
#include <dwconv/epilogue/epilogue.cuh>
#include <dwconv/forward.cuh>
#include <dwconv/problem/traffic.hpp>
#include <dwconv/version.hpp>
