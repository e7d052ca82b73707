// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <driver_types.h>
#include <vector_types.h>

#include <dwconv/core/device_facts.hpp>

/// Runs CUDA kernels on the CPU: one fiber a CUDA thread, one block at a time, in an order the test
/// chooses.
///
/// Knows nothing of speed, of real races or of generated code. What it does know: a barrier that is
/// missing or reached by some threads only, a copy nobody waited for, shared memory nobody wrote,
/// an access outside a buffer. Launches may come from several host threads; they run one after the
/// other.
namespace dwconv_emulation {

// ---- For tests

/// Order of blocks, of warps in a block and of lanes in a warp.
enum class order : std::uint8_t { forward, reverse, shuffled };

/// When a copy that hardware performs at some unknown moment is performed here.
enum class copies : std::uint8_t {
  late,   ///< When a thread waits for it: shows a missing wait.
  early,  ///< When it is issued: shows a source not yet written and a destination still being read.
  mixed,  ///< Either, copy by copy.
};

struct schedule {
  order threads      = order::forward;
  copies copy_timing = copies::late;
  std::uint64_t seed =
    1;  ///< Of shuffled orders and mixed copies; the same seed gives the same run.
  friend constexpr bool operator==(schedule const&, schedule const&) = default;
};

/// A test that passes under all of these has met each way of going wrong that the engine knows.
inline constexpr std::array<schedule, 6> every_schedule{{
  {order::forward, copies::late, 1},
  {order::reverse, copies::late, 1},
  {order::forward, copies::early, 1},
  {order::reverse, copies::early, 1},
  {order::shuffled, copies::mixed, 1},
  {order::shuffled, copies::mixed, 2},
}};

void set_schedule(schedule wanted);
[[nodiscard]] schedule current_schedule();

/// Grids started since the process began. A launch that was refused is not counted.
[[nodiscard]] std::uint64_t launches();

/// CUDA threads of those grids.
[[nodiscard]] std::uint64_t threads_run();

/// The next launch runs nothing and returns `error`.
void fail_next_launch(cudaError_t error);

/// Why the last launch returned cudaErrorLaunchFailure, as one sentence; empty once a launch
/// succeeded.
[[nodiscard]] std::string last_error();
void clear_error();

/// The one emulated device; an H200 until said otherwise, and nothing once it is removed.
void set_device(dwconv::device_facts const& facts);
void remove_device();
[[nodiscard]] std::optional<dwconv::device_facts> device();

// ---- For keywords.hpp and the shadows of dwconv/device/

inline constexpr unsigned warp_size = 32;

extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
extern unsigned linear_thread;  ///< Within the block, x fastest.

struct grid_request {
  dim3 grid;
  dim3 block;
  unsigned shared_bytes;
  void (*body)(void*);  ///< Runs one CUDA thread.
  void* context;
};

/// Runs a grid to its end, or to its first mistake.
[[nodiscard]] cudaError_t run(grid_request const& request);

/// Ends the launch: it returns cudaErrorLaunchFailure, and last_error() is `what` with the thread's
/// coordinates.
[[noreturn]] void fail(std::string what);

/// Fails unless the emulated device has this compute capability (ten times major plus minor).
void require_capability(int capability, char const* instruction);

void block_barrier();
void warp_barrier();

/// What one lane hands in and, after all 32 have, takes out.
struct alignas(16) warp_slot {
  std::byte bytes[64];
};

/// Hands in `bytes` bytes and waits for the rest of the warp. Whoever comes last first runs
/// `combine` over all lanes.
/// @return The slots of all lanes, valid until the warp's next but one exchange.
warp_slot const* warp_exchange(char const* operation, void const* in, std::size_t bytes,
                               void (*combine)(warp_slot* lanes) = nullptr);

/// Fails unless all 32 lanes of the calling thread's warp exist.
void require_full_warp(char const* operation);

[[nodiscard]] void* shared_memory();

/// Fails unless [address, address + bytes) lies in the block's dynamic shared memory.
void require_shared(void const* address, std::size_t bytes, char const* operation);

// cp.async
void async_copy(void* shared, void const* global, unsigned bytes, unsigned valid_bytes);
void async_commit();
void async_wait(unsigned pending);

// mbarrier; `word` is its 8 bytes of shared memory.
void barrier_init(std::uint64_t* word, unsigned arrivals);
void barrier_fence_init();
void barrier_arrive(std::uint64_t* word, unsigned expected_bytes);
void barrier_wait(std::uint64_t* word, unsigned parity);

// cp.async.bulk
void bulk_load(void* shared, void const* global, unsigned bytes, std::uint64_t* word);
void bulk_store(void* global, void const* shared, unsigned bytes);
void bulk_commit();
void bulk_wait(unsigned pending);
void bulk_fence();

}  // namespace dwconv_emulation

namespace emulation = dwconv_emulation;
