// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every epilogue.
#include <dwconv/epilogue/activation.cuh>
#include <dwconv/epilogue/bias.cuh>
#include <dwconv/epilogue/residual.cuh>
#include <dwconv/epilogue/stage.cuh>
