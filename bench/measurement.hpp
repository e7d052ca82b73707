// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <benchmark/benchmark.h>

#include <dwconv/problem/traffic.hpp>

#include "cold_timer.hpp"

namespace dwconv_bench {

/// How a tile is launched.
struct tile_launch {
  int threads;       ///< Per block.
  int shared_bytes;  ///< Per block.
  std::int64_t blocks;
};

/// What one cell's row is made of.
struct measurement {
  cold_times times;
  double copy_milliseconds;  ///< Of a copy that moves the same bytes.
  dwconv::traffic work;
  std::string label;  ///< Kernel family that was planned; with its tile where tiles are compared.
  std::optional<tile_launch> launch{};  ///< Where tiles are compared.
};

/// Writes a measurement into a row: the median as its time, the rest as counters.
inline void report(benchmark::State& state, measurement const& m)
{
  constexpr double milli       = 1e-3;
  double const seconds         = m.times.median * milli;
  state.counters["copy_ratio"] = m.copy_milliseconds / m.times.median;
  state.counters["GBps"]       = static_cast<double>(m.work.bytes()) / seconds * 1e-9;
  state.counters["TFLOPs"]     = m.work.flops() / seconds * 1e-12;
  state.counters["copy_ms"]    = m.copy_milliseconds;
  state.counters["min_ms"]     = m.times.min;
  state.counters["q1_ms"]      = m.times.lower_quartile;
  state.counters["q3_ms"]      = m.times.upper_quartile;
  state.counters["max_ms"]     = m.times.max;
  if (m.launch.has_value()) {
    state.counters["threads"]      = m.launch->threads;
    state.counters["shared_bytes"] = m.launch->shared_bytes;
    state.counters["blocks"]       = static_cast<double>(m.launch->blocks);
  }
  state.SetLabel(m.label);
  for (auto _ : state) { state.SetIterationTime(seconds); }
}

}  // namespace dwconv_bench
