// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <dwconv/device/query.cuh>

#include "cells.hpp"
#include "options.hpp"
#include "run_context.hpp"
#include "session.cuh"
#include "shapes_csv.hpp"
#include "tile_cells.hpp"

namespace {

using namespace dwconv_bench;

// Exit codes. CTest is told that 77 means skipped.
constexpr int success = 0, failure = 1, no_gpu = 77;

/// Times one cell into its row; what goes wrong stays in that row.
///
/// @return Whether the cell was timed or refused for a reason; false if something is broken.
bool run_cell(benchmark::State& state, bench_session& session, cell const& one)
{
  try {
    report(state, one.with.measure(session, one.problem, one.tile));
    return true;
  } catch (cell_refused const& reason) {
    state.SkipWithError(reason.what());
    return true;
  } catch (std::exception const& error) {
    state.SkipWithError(error.what());
    return false;
  }
}

/// @param session Null where cells are only listed, which needs no GPU: tiles then are those for an
/// H200.
int run_benchmarks(bench_options const& options, bench_session* session)
{
  int broken = 0;
  auto cells = cells_of(options, read_shapes(options.shapes));
  if (!options.tiles.empty()) {
    auto const& device = session != nullptr ? session->device : dwconv::h200_facts;
    cells = with_tile_cells(std::move(cells), read_tiles(options.tiles), device, options.family);
  }
  for (cell const& one : cells) {
    // One iteration: a row is already the median of many runs.
    benchmark::RegisterBenchmark(
      one.name.c_str(),
      [&](benchmark::State& state) { broken += run_cell(state, *session, one) ? 0 : 1; })
      ->Iterations(1)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  }
  bool const any = benchmark::RunSpecifiedBenchmarks() > 0;
  benchmark::Shutdown();
  if (broken > 0) { std::fprintf(stderr, "dwconv_bench: %d rows are wrong or failed\n", broken); }
  return any && broken == 0 ? success : failure;
}

int run(std::vector<char*> arguments)
{
  bench_options const options = take_options(arguments, DWCONV_BENCH_SHAPES);
  // Ahead of the caller's options, so that theirs win.
  char tabular[] = "--benchmark_counters_tabular=true";
  arguments.insert(arguments.begin() + 1, tabular);
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data(), &command_line::print_help);
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) { return failure; }
  static_cast<void>(read_shapes(options.shapes));  // complain of it whether there is a GPU or not
  if (!options.tiles.empty()) { static_cast<void>(read_tiles(options.tiles)); }
  if (options.list_only) { return run_benchmarks(options, nullptr); }

  dwconv::device_facts device;
  dwconv::status const found = dwconv::query_current_device(device);
  if (!found.ok()) {
    std::fprintf(stderr, "dwconv_bench: %s\n", found.message().c_str());
    return found.code == dwconv::status_code::no_device ? no_gpu : failure;
  }
  std::unique_ptr<bench_session> const session{new bench_session{options, device}};
  add_run_context(options, DWCONV_BENCH_TOOLKIT);
  session->wake_device();
  return run_benchmarks(options, session.get());
}

}  // namespace

int main(int argc, char** argv)
{
  try {
    return run({argv, argv + argc});
  } catch (std::exception const& error) {
    std::fprintf(stderr, "dwconv_bench: %s\n", error.what());
    return failure;
  }
}
