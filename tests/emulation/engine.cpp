// SPDX-License-Identifier: Apache-2.0
#include "engine.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <boost/context/detail/fcontext.hpp>

#if defined(__SANITIZE_ADDRESS__)
#define DWCONV_EMULATION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DWCONV_EMULATION_ASAN 1
#endif
#endif
#if defined(DWCONV_EMULATION_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace dwconv_emulation {

uint3 threadIdx{};
uint3 blockIdx{};
dim3 blockDim{};
dim3 gridDim{};
unsigned linear_thread = 0;

namespace {

namespace fcontext = boost::context::detail;

constexpr unsigned max_threads          = 1024;
constexpr unsigned max_warps            = max_threads / warp_size;
constexpr std::size_t shared_capacity   = 256 * 1024;
constexpr std::size_t guard_bytes       = 256;
constexpr unsigned char guard_pattern   = 0xC5;
constexpr unsigned char untouched       = 0xFF;  // NaN in every floating-point type
constexpr std::uint32_t barrier_magic   = 0x6d626172;
constexpr std::uint64_t barrier_invalid = ~std::uint64_t{0};
constexpr int nobody                    = -1;  // all threads are done, or none can run
constexpr int undecided                 = -2;

// ---- Stacks

void unpoison([[maybe_unused]] void* begin, [[maybe_unused]] std::size_t bytes)
{
#if defined(DWCONV_EMULATION_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(begin, bytes);
#endif
}

/// One stack on which CUDA threads run, one after another; a thread that waits keeps the stack it
/// started on.
struct fiber {
  fcontext::fcontext_t context = nullptr;
  unsigned char* stack         = nullptr;
  void* sanitizer_stack        = nullptr;
  bool idle                    = true;
};

/// Allocated once and kept: a test suite starts millions of threads.
struct stack_pool {
  static constexpr std::size_t page        = 4096;
  static constexpr std::size_t stack_bytes = 256 * 1024;  // committed only where touched
  // Tops differ by this much, or every thread's frames would fall on the same cache sets.
  static constexpr std::size_t stagger = 576;  // nine cache lines

  unsigned char* memory = nullptr;
  std::array<fiber, max_threads> fibers;
  std::vector<fiber*> free;

  stack_pool()
  {
    void* const mapped = mmap(nullptr, max_threads * stack_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      std::fputs("emulation: no memory for the stacks\n", stderr);
      std::abort();
    }
    memory = static_cast<unsigned char*>(mapped);
    free.reserve(max_threads);
    for (unsigned i = max_threads; i-- > 0;) {
      fibers[i].stack = memory + i * stack_bytes;
      // An overflow faults instead of reaching the neighbour.
      mprotect(fibers[i].stack, page, PROT_NONE);
      free.push_back(&fibers[i]);
    }
  }

  stack_pool(stack_pool const&)            = delete;
  stack_pool& operator=(stack_pool const&) = delete;
  ~stack_pool() { munmap(memory, max_threads * stack_bytes); }

  fiber* take(void (*entry)(fcontext::transfer_t))
  {
    fiber* const taken = free.back();
    free.pop_back();
    if (taken->context == nullptr) {
      auto const number = static_cast<std::size_t>(taken - fibers.data());
      auto const top    = stack_bytes - (number % 64) * stagger;
      taken->context    = fcontext::make_fcontext(taken->stack + top, top - page, entry);
    }
    taken->idle = false;
    return taken;
  }

  void give_back(fiber* done)
  {
    done->idle = true;
    free.push_back(done);
  }

  /// Forgets what ran on the stacks of an aborted launch; they start afresh.
  void abandon_busy()
  {
    for (fiber& each : fibers) {
      if (each.idle) { continue; }
      unpoison(each.stack + page, stack_bytes - page);
      each.context         = nullptr;
      each.sanitizer_stack = nullptr;
      give_back(&each);
    }
  }
};

// ---- Random numbers

/// splitmix64
struct random_bits {
  std::uint64_t state = 0;
  std::uint64_t operator()()
  {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z               = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z               = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  unsigned below(unsigned bound) { return static_cast<unsigned>(((*this)() >> 32) * bound >> 32); }
  bool coin() { return ((*this)() >> 63) != 0; }
};

template <std::size_t Size>
void arrange(std::array<std::uint8_t, Size>& sequence, unsigned count, order wanted,
             random_bits& random)
{
  for (unsigned i = 0; i < count; ++i) {
    sequence[i] = static_cast<std::uint8_t>(wanted == order::reverse ? count - 1 - i : i);
  }
  if (wanted != order::shuffled) { return; }
  for (unsigned i = count; i > 1; --i) { std::swap(sequence[i - 1], sequence[random.below(i)]); }
}

// ---- State of the running grid

struct pending_copy {
  void* to;
  void const* from;
  unsigned bytes;
  unsigned valid_bytes;
  unsigned group;
  bool performed;
};

/// Copies of one thread in the order issued, in committed groups.
struct copy_queue {
  std::vector<pending_copy> waiting;
  unsigned committed = 0;

  void reset()
  {
    waiting.clear();
    committed = 0;
  }

  void commit() { ++committed; }

  /// Performs all but the `pending` youngest groups.
  template <typename Perform>
  void retire(unsigned pending, Perform const& perform)
  {
    auto first_kept = waiting.begin();
    for (; first_kept != waiting.end() && first_kept->group + pending < committed; ++first_kept) {
      if (!first_kept->performed) { perform(*first_kept); }
    }
    waiting.erase(waiting.begin(), first_kept);
  }
};

struct cuda_thread {
  fiber* parked_on = nullptr;
  unsigned barrier = 0;  // polled, with this parity
  unsigned parity  = 0;
  bool has_copies  = false;
  copy_queue loads;
  copy_queue stores;
};

struct cuda_warp {
  std::uint32_t exists   = 0;
  std::uint32_t ready    = 0;
  std::uint32_t at_warp  = 0;
  std::uint32_t at_block = 0;
  std::uint32_t polling  = 0;
  std::uint32_t done     = 0;
  unsigned parity        = 0;  // which half of the slots the current exchange uses
  char const* operation  = nullptr;
  warp_slot slots[2][warp_size];
};

struct memory_barrier {
  std::uint64_t* word;
  unsigned arrivals;
  unsigned missing;
  std::int64_t bytes_missing;
  unsigned phase;
  unsigned initialised_by;
  bool fenced;
};

struct pending_bulk_load {
  void* to;
  void const* from;
  unsigned bytes;
  unsigned barrier;
};

struct engine {
  stack_pool stacks;
  schedule plan;
  random_bits random;
  std::optional<dwconv::device_facts> facts = dwconv::h200_facts;
  std::uint64_t launches                    = 0;
  std::uint64_t threads_run                 = 0;
  cudaError_t planned_failure               = cudaSuccess;
  std::string error;

  // The grid.
  grid_request request{};
  unsigned threads = 0;
  unsigned warps   = 0;
  std::array<uint3, max_threads> coordinates{};
  std::unique_ptr<unsigned char, decltype(&std::free)> arena{nullptr, &std::free};
  unsigned char* shared = nullptr;

  // The block.
  std::array<cuda_thread, max_threads> thread;
  std::array<cuda_warp, max_warps> warp;
  std::vector<memory_barrier> barriers;
  std::vector<pending_bulk_load> bulk_loads;
  unsigned at_block_barrier = 0;
  unsigned done             = 0;
  bool fenced               = false;  // some thread called bulk_fence
  bool aborted              = false;

  // The walk over the block's threads.
  std::array<std::uint8_t, max_warps> warp_order{};
  std::array<std::uint8_t, warp_size> lane_order{};
  unsigned warp_position = 0;
  unsigned lane_position = 0;

  // Where the scheduler itself waits, and what a fiber asks it to run next.
  fcontext::fcontext_t scheduler   = nullptr;
  void const* scheduler_stack      = nullptr;
  std::size_t scheduler_stack_size = 0;
  fiber* running                   = nullptr;
  int next                         = nobody;
};

std::mutex one_at_a_time;

engine& state()
{
  static engine the_engine;
  return the_engine;
}

// A reference set up before main: the functions a kernel calls would otherwise test a guard each
// time.
engine& e = state();

[[nodiscard]] std::string at(uint3 const& c)
{
  return "(" + std::to_string(c.x) + ", " + std::to_string(c.y) + ", " + std::to_string(c.z) + ")";
}

// ---- Switching

/// From a fiber back to the scheduler. Returns when the scheduler resumes this fiber.
void leave_fiber()
{
#if defined(DWCONV_EMULATION_ASAN)
  fiber& self = *e.running;
  __sanitizer_start_switch_fiber(&self.sanitizer_stack, e.scheduler_stack, e.scheduler_stack_size);
#endif
  fcontext::transfer_t const from = fcontext::jump_fcontext(e.scheduler, nullptr);
  e.scheduler                     = from.fctx;
#if defined(DWCONV_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(self.sanitizer_stack, &e.scheduler_stack,
                                  &e.scheduler_stack_size);
#endif
}

void enter_fiber(fiber& target)
{
  e.running = &target;
#if defined(DWCONV_EMULATION_ASAN)
  void* sanitizer_stack = nullptr;
  __sanitizer_start_switch_fiber(&sanitizer_stack, target.stack, stack_pool::stack_bytes);
#endif
  fcontext::transfer_t const from = fcontext::jump_fcontext(target.context, nullptr);
#if defined(DWCONV_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(sanitizer_stack, nullptr, nullptr);
#endif
  target.context = from.fctx;
}

// ---- Scheduling

void start_warp_pass()
{
  if (e.plan.threads == order::shuffled) {
    arrange(e.lane_order, warp_size, order::shuffled, e.random);
  }
  e.lane_position = 0;
}

void start_block_pass()
{
  if (e.plan.threads == order::shuffled) {
    arrange(e.warp_order, e.warps, order::shuffled, e.random);
  }
  e.warp_position = 0;
  start_warp_pass();
}

void describe_deadlock();
bool wake_a_poller();

/// The next thread to run, or nobody.
int pick()
{
  for (;;) {
    while (e.warp_position < e.warps) {
      unsigned const w    = e.warp_order[e.warp_position];
      cuda_warp& in       = e.warp[w];
      std::uint32_t ready = in.ready;
      while (ready != 0 && e.lane_position < warp_size) {
        unsigned const lane = e.lane_order[e.lane_position++];
        if ((ready >> lane & 1u) != 0) {
          in.ready &= ~(1u << lane);
          return static_cast<int>(w * warp_size + lane);
        }
      }
      // A warp runs on while it can; shuffled, it may have to let another go first.
      bool const stays = in.ready != 0 && (e.plan.threads != order::shuffled || e.random.coin());
      if (!stays) { ++e.warp_position; }
      start_warp_pass();
    }
    if (e.done == e.threads) { return nobody; }
    bool any_ready = false;
    for (unsigned w = 0; w < e.warps; ++w) { any_ready = any_ready || e.warp[w].ready != 0; }
    if (!any_ready && !wake_a_poller()) {
      describe_deadlock();
      return nobody;
    }
    start_block_pass();
  }
}

void set_current(unsigned linear)
{
  linear_thread = linear;
  threadIdx     = e.coordinates[linear];
}

[[nodiscard]] cuda_thread& me()
{
  return e.thread[linear_thread];
}
[[nodiscard]] cuda_warp& my_warp()
{
  return e.warp[linear_thread / warp_size];
}
[[nodiscard]] std::uint32_t my_bit()
{
  return 1u << (linear_thread % warp_size);
}

/// Parks the calling thread; someone else sets its ready bit.
void park()
{
  unsigned const linear      = linear_thread;
  fiber* const here          = e.running;
  e.thread[linear].parked_on = here;
  e.next                     = undecided;
  leave_fiber();
  set_current(linear);
}

void record(std::string const& sentence)
{
  if (e.error.empty()) { e.error = sentence; }
  e.aborted = true;
}

void finish_thread()
{
  cuda_thread& self = me();
  if (self.has_copies) {
    if (!self.stores.waiting.empty()) {
      fail(self.stores.waiting.back().group >= self.stores.committed
             ? "the thread exited with a bulk store it never committed"
             : "the thread exited with a bulk store never waited for: the block's shared memory "
               "may be gone before it is read");
    }
    self.loads.reset();
    self.stores.reset();
    self.has_copies = false;
  }
  my_warp().done |= my_bit();
  ++e.done;
}

void run_thread(unsigned linear)
{
  set_current(linear);
  std::string thrown;
  try {
    e.request.body(e.request.context);
  } catch (std::exception const& exception) {
    thrown = std::string{"the kernel threw: "} + exception.what();
  } catch (...) {
    thrown = "the kernel threw";
  }
  if (!thrown.empty()) { fail(std::exchange(thrown, {})); }
  finish_thread();
}

/// Runs threads that have not started yet one after the other on this stack, without a switch
/// between them.
void fiber_main(fcontext::transfer_t from)
{
  e.scheduler = from.fctx;
#if defined(DWCONV_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(nullptr, &e.scheduler_stack, &e.scheduler_stack_size);
#endif
  fiber* const self = e.running;
  for (;;) {
    auto const linear = static_cast<unsigned>(e.next);
    run_thread(linear);
    e.next = pick();
    if (e.next >= 0 && e.thread[static_cast<unsigned>(e.next)].parked_on == nullptr) { continue; }
    e.stacks.give_back(self);
    leave_fiber();
  }
}

void run_block_threads()
{
  e.next = pick();
  while (e.next != nobody) {
    fiber*& parked = e.thread[static_cast<unsigned>(e.next)].parked_on;
    enter_fiber(parked != nullptr ? *std::exchange(parked, nullptr) : *e.stacks.take(&fiber_main));
    if (e.aborted) { break; }
    if (e.next == undecided) { e.next = pick(); }
  }
}

/// How many threads wait where, for the sentence that says why nothing moves.
void describe_deadlock()
{
  unsigned at_warp = 0, polling = 0;
  cuda_warp const* split = nullptr;
  unsigned split_warp    = 0;
  for (unsigned w = 0; w < e.warps; ++w) {
    cuda_warp const& each = e.warp[w];
    at_warp += static_cast<unsigned>(std::popcount(each.at_warp));
    polling += static_cast<unsigned>(std::popcount(each.polling));
    if (each.at_warp != 0 && split == nullptr) {
      split      = &each;
      split_warp = w;
    }
  }
  std::string sentence = "block " + at(blockIdx) + ": ";
  auto const count     = [](unsigned part, unsigned whole) {
    return std::to_string(part) + " of " + std::to_string(whole);
  };
  if (split != nullptr) {
    sentence += std::string{split->operation} + " reached by " +
                count(static_cast<unsigned>(std::popcount(split->at_warp)),
                      static_cast<unsigned>(std::popcount(split->exists))) +
                " lanes of warp " + std::to_string(split_warp);
  } else if (e.at_block_barrier != 0) {
    sentence += "block barrier reached by " + count(e.at_block_barrier, e.threads) + " threads";
  } else {
    sentence += "every thread left waits for an mbarrier that nobody completes";
  }
  sentence += " (" + std::to_string(e.done) + " exited, " + std::to_string(e.at_block_barrier) +
              " at a block barrier, " + std::to_string(at_warp) + " at a warp operation, " +
              std::to_string(polling) + " waiting for an mbarrier)";
  for (memory_barrier const& b : e.barriers) {
    if (polling == 0) { break; }
    sentence += "; mbarrier " + std::to_string(&b - &e.barriers.front()) + ": phase " +
                std::to_string(b.phase) + ", " + std::to_string(b.missing) + " arrivals and " +
                std::to_string(b.bytes_missing) + " bytes missing";
  }
  record(sentence);
}

// ---- mbarrier

[[nodiscard]] unsigned barrier_number(std::uint64_t const* word, char const* operation)
{
  require_shared(word, sizeof *word, operation);
  std::uint64_t const value = *word;
  auto const number         = static_cast<unsigned>(value & 0xffffffffu);
  if (value >> 32 != barrier_magic || number >= e.barriers.size() ||
      e.barriers[number].word != word) {
    fail(std::string{operation} + " on an mbarrier " +
         (value == barrier_invalid ? "before its init" : "that something wrote over"));
  }
  return number;
}

[[nodiscard]] bool phase_complete(unsigned number, unsigned parity)
{
  return e.barriers[number].phase % 2 != parity;
}

void wake_pollers_of(unsigned number)
{
  for (unsigned w = 0; w < e.warps; ++w) {
    for (std::uint32_t left = e.warp[w].polling; left != 0; left &= left - 1) {
      auto const lane   = static_cast<unsigned>(std::countr_zero(left));
      cuda_thread& each = e.thread[w * warp_size + lane];
      if (each.barrier == number && phase_complete(number, each.parity)) {
        e.warp[w].polling &= ~(1u << lane);
        e.warp[w].ready |= 1u << lane;
      }
    }
  }
}

void complete_phase_if_due(unsigned number)
{
  memory_barrier& b = e.barriers[number];
  if (b.missing != 0 || b.bytes_missing != 0) { return; }
  b.phase ^= 1u;
  b.missing = b.arrivals;
  wake_pollers_of(number);
}

void perform(pending_bulk_load const& copy)
{
  std::memcpy(copy.to, copy.from, copy.bytes);
  e.barriers[copy.barrier].bytes_missing -= copy.bytes;
  complete_phase_if_due(copy.barrier);
}

bool perform_loads_of(unsigned number)
{
  bool any = false;
  for (std::size_t i = 0; i < e.bulk_loads.size();) {
    if (e.bulk_loads[i].barrier != number) {
      ++i;
      continue;
    }
    pending_bulk_load const copy = e.bulk_loads[i];
    e.bulk_loads.erase(e.bulk_loads.begin() + static_cast<std::ptrdiff_t>(i));
    perform(copy);
    any = true;
  }
  return any;
}

/// Loads issued after their waiters began to wait are performed once nothing else can run.
bool wake_a_poller()
{
  for (unsigned w = 0; w < e.warps; ++w) {
    for (std::uint32_t left = e.warp[w].polling; left != 0; left &= left - 1) {
      auto const lane = static_cast<unsigned>(std::countr_zero(left));
      if (perform_loads_of(e.thread[w * warp_size + lane].barrier)) { return true; }
    }
  }
  return false;
}

[[nodiscard]] bool copies_at_once()
{
  switch (e.plan.copy_timing) {
    case copies::late: return false;
    case copies::early: return true;
    case copies::mixed: return e.random.coin();
  }
  return false;
}

void require_aligned(void const* address, std::size_t alignment, char const* what)
{
  auto const past = reinterpret_cast<std::uintptr_t>(address) % alignment;
  if (past != 0) {
    fail(std::string{what} + " is " + std::to_string(past) + " bytes past a multiple of " +
         std::to_string(alignment));
  }
}

void require_bulk_operands(void const* shared, void const* global, unsigned bytes,
                           char const* operation)
{
  require_capability(90, operation);
  if (bytes == 0 || bytes % 16 != 0) {
    fail(std::string{operation} + " of " + std::to_string(bytes) +
         " bytes, must be a positive multiple of 16");
  }
  require_aligned(shared, 16, "a bulk copy's shared address");
  require_aligned(global, 16, "a bulk copy's global address");
  require_shared(shared, bytes, operation);
}

// ---- Blocks and grids

void prepare_shared_memory(unsigned bytes)
{
  if (!e.arena) {
    // 128 bytes past a multiple of 256: what a kernel may rely on, and no more.
    e.arena.reset(
      static_cast<unsigned char*>(std::aligned_alloc(256, 512 + shared_capacity + guard_bytes)));
    e.shared = e.arena.get() + 384;
  }
  unpoison(e.arena.get(), 512 + shared_capacity + guard_bytes);
  std::memset(e.shared - guard_bytes, guard_pattern, guard_bytes);
  std::memset(e.shared + bytes, guard_pattern, guard_bytes);
#if defined(DWCONV_EMULATION_ASAN)
  ASAN_POISON_MEMORY_REGION(e.arena.get(), 384);
  ASAN_POISON_MEMORY_REGION(e.shared + bytes, shared_capacity + guard_bytes - bytes);
#endif
}

#if defined(DWCONV_EMULATION_ASAN)
__attribute__((no_sanitize("address")))
#endif
[[nodiscard]] bool
shared_guards_intact()
{
#if defined(DWCONV_EMULATION_ASAN)
  return true;  // poisoned: a touch ended the process already
#else
  for (std::size_t i = 0; i < guard_bytes; ++i) {
    if ((e.shared - guard_bytes)[i] != guard_pattern ||
        (e.shared + e.request.shared_bytes)[i] != guard_pattern) {
      return false;
    }
  }
  return true;
#endif
}

void lay_out_threads(dim3 const& block)
{
  e.threads       = block.x * block.y * block.z;
  e.warps         = (e.threads + warp_size - 1) / warp_size;
  unsigned linear = 0;
  for (unsigned z = 0; z < block.z; ++z) {
    for (unsigned y = 0; y < block.y; ++y) {
      for (unsigned x = 0; x < block.x; ++x) { e.coordinates[linear++] = {x, y, z}; }
    }
  }
  for (unsigned w = 0; w < e.warps; ++w) {
    unsigned const lanes = std::min(warp_size, e.threads - w * warp_size);
    e.warp[w].exists     = lanes == warp_size ? ~0u : (1u << lanes) - 1;
  }
  arrange(e.warp_order, e.warps, e.plan.threads, e.random);
  arrange(e.lane_order, warp_size, e.plan.threads, e.random);
}

void run_block()
{
  std::memset(e.shared, untouched, e.request.shared_bytes);
  for (unsigned w = 0; w < e.warps; ++w) {
    cuda_warp& each = e.warp[w];
    each.ready      = each.exists;
    each.at_warp = each.at_block = each.polling = each.done = 0;
  }
  e.barriers.clear();
  e.bulk_loads.clear();
  e.at_block_barrier = 0;
  e.done             = 0;
  e.fenced           = false;
  start_block_pass();
  run_block_threads();
  if (!e.aborted && !e.bulk_loads.empty()) {
    record("block " + at(blockIdx) +
           ": a bulk load was never waited for: it may land after the block is gone");
  }
  if (!e.aborted && !shared_guards_intact()) {
    record("block " + at(blockIdx) + ": a write outside the " +
           std::to_string(e.request.shared_bytes) + " bytes of dynamic shared memory asked for");
  }
}

void run_grid()
{
  dim3 const grid            = e.request.grid;
  std::uint64_t const blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  // Around the grid in equal strides: coprime to the number of blocks, one visits each once.
  std::uint64_t linear = 0, stride = 1;
  if (e.plan.threads == order::reverse) { linear = stride = blocks - 1; }
  if (e.plan.threads == order::shuffled) {
    linear = e.random() % blocks;
    stride = e.random() % blocks;
    while (std::gcd(stride, blocks) != 1) { ++stride; }
  }
  for (std::uint64_t step = 0; step < blocks && !e.aborted; ++step) {
    blockIdx = {static_cast<unsigned>(linear % grid.x),
                static_cast<unsigned>(linear / grid.x % grid.y),
                static_cast<unsigned>(linear / grid.x / grid.y)};
    run_block();
    linear = (linear + stride) % blocks;
  }
  if (e.aborted) {
    e.stacks.abandon_busy();
    for (cuda_thread& each : e.thread) {
      each.parked_on  = nullptr;
      each.has_copies = false;
      each.loads.reset();
      each.stores.reset();
    }
  }
}

/// What cudaLaunchKernelEx, and cudaFuncSetAttribute before it, would say.
[[nodiscard]] cudaError_t refuse(grid_request const& request)
{
  if (!e.facts) { return cudaErrorNoDevice; }
  dim3 const g = request.grid, b = request.block;
  bool const grid_fits =
    g.x >= 1 && g.y >= 1 && g.z >= 1 && g.x <= 0x7fffffffu && g.y <= 65535 && g.z <= 65535;
  bool const block_fits = b.x >= 1 && b.y >= 1 && b.z >= 1 && b.x <= 1024 && b.y <= 1024 &&
                          b.z <= 64 && std::uint64_t{b.x} * b.y * b.z <= max_threads;
  if (!grid_fits || !block_fits) { return cudaErrorInvalidConfiguration; }
  auto const most = static_cast<std::uint64_t>(e.facts->shared_bytes_per_block);
  if (request.shared_bytes > std::min<std::uint64_t>(most, shared_capacity)) {
    return cudaErrorInvalidValue;
  }
  return cudaSuccess;
}

}  // namespace

// ---- For tests

void set_schedule(schedule wanted)
{
  std::lock_guard const lock{one_at_a_time};
  e.plan = wanted;
}

schedule current_schedule()
{
  return e.plan;
}
std::uint64_t launches()
{
  return e.launches;
}
std::uint64_t threads_run()
{
  return e.threads_run;
}

void fail_next_launch(cudaError_t error)
{
  std::lock_guard const lock{one_at_a_time};
  e.planned_failure = error;
}

std::string last_error()
{
  return e.error;
}
void clear_error()
{
  e.error.clear();
}

void set_device(dwconv::device_facts const& facts)
{
  std::lock_guard const lock{one_at_a_time};
  e.facts = facts;
}

void remove_device()
{
  std::lock_guard const lock{one_at_a_time};
  e.facts.reset();
}

std::optional<dwconv::device_facts> device()
{
  return e.facts;
}

// ---- For the shadows

cudaError_t run(grid_request const& request)
{
  std::lock_guard const lock{one_at_a_time};
  if (e.planned_failure != cudaSuccess) { return std::exchange(e.planned_failure, cudaSuccess); }
  if (cudaError_t const refused = refuse(request); refused != cudaSuccess) { return refused; }
  ++e.launches;
  e.threads_run += std::uint64_t{request.grid.x} * request.grid.y * request.grid.z *
                   request.block.x * request.block.y * request.block.z;
  e.request      = request;
  e.random.state = e.plan.seed;
  e.aborted      = false;
  e.error.clear();
  gridDim  = request.grid;
  blockDim = request.block;
  lay_out_threads(request.block);
  prepare_shared_memory(request.shared_bytes);
  run_grid();
  return e.aborted ? cudaErrorLaunchFailure : cudaSuccess;
}

void fail(std::string what)
{
  {
    // Nothing on an abandoned stack is destroyed, so nothing there may own memory: hence by value,
    // and moved here.
    std::string const sentence = std::move(what);
    record("thread " + at(threadIdx) + " of block " + at(blockIdx) + ": " + sentence);
  }
  leave_fiber();
  std::abort();  // an abandoned stack is never resumed
}

void require_capability(int capability, char const* instruction)
{
  int const present = e.facts ? e.facts->compute_capability : 0;
  if (present < capability) {
    fail(std::string{instruction} + " needs compute capability " + std::to_string(capability) +
         ", the device has " + std::to_string(present));
  }
}

void block_barrier()
{
  my_warp().at_block |= my_bit();
  if (++e.at_block_barrier == e.threads) {
    e.at_block_barrier = 0;
    for (unsigned w = 0; w < e.warps; ++w) {
      cuda_warp& each = e.warp[w];
      each.ready |= std::exchange(each.at_block, 0u);
    }
    start_block_pass();  // not with the warp that happens to have come last
  }
  park();
}

warp_slot const* warp_exchange(char const* operation, void const* in, std::size_t bytes,
                               void (*combine)(warp_slot*))
{
  cuda_warp& warp = my_warp();
  if (bytes > sizeof(warp_slot)) {
    fail(std::string{operation} + " exchanges more than a slot holds");
  }
  if (warp.at_warp == 0) {
    warp.operation = operation;
    warp.parity ^= 1u;
  } else if (std::strcmp(warp.operation, operation) != 0) {
    fail(std::string{operation} + " while other lanes of the warp are at " + warp.operation);
  }
  warp_slot* const slots = warp.slots[warp.parity];
  if (bytes != 0) { std::memcpy(slots[linear_thread % warp_size].bytes, in, bytes); }
  warp.at_warp |= my_bit();
  if (warp.at_warp == warp.exists) {
    if (combine != nullptr) { combine(slots); }
    warp.ready |= std::exchange(warp.at_warp, 0u);
  }
  park();
  return slots;
}

void warp_barrier()
{
  warp_exchange("warp_sync", nullptr, 0);
}

void require_full_warp(char const* operation)
{
  if (my_warp().exists != ~0u) {
    fail(std::string{operation} + " in a warp of only " +
         std::to_string(std::popcount(my_warp().exists)) + " threads");
  }
}

void* shared_memory()
{
  return e.shared;
}

void require_shared(void const* address, std::size_t bytes, char const* operation)
{
  auto const first = reinterpret_cast<std::uintptr_t>(address);
  auto const base  = reinterpret_cast<std::uintptr_t>(e.shared);
  if (first < base || first + bytes > base + e.request.shared_bytes) {
    fail(std::string{operation} + " outside the " + std::to_string(e.request.shared_bytes) +
         " bytes of dynamic shared memory asked for");
  }
}

// ---- cp.async

namespace {

void perform_async(pending_copy const& copy)
{
  if (copy.valid_bytes != 0) { std::memcpy(copy.to, copy.from, copy.valid_bytes); }
  std::memset(static_cast<unsigned char*>(copy.to) + copy.valid_bytes, 0,
              copy.bytes - copy.valid_bytes);
}

void perform_store(pending_copy const& copy)
{
  std::memcpy(copy.to, copy.from, copy.bytes);
}

}  // namespace

void async_copy(void* shared, void const* global, unsigned bytes, unsigned valid_bytes)
{
  require_capability(80, "async_copy");
  require_shared(shared, bytes, "async_copy");
  require_aligned(shared, bytes, "async_copy's shared address");
  require_aligned(global, bytes, "async_copy's global address");
  if (valid_bytes > bytes) {
    fail("async_copy of " + std::to_string(bytes) + " bytes with " + std::to_string(valid_bytes) +
         " valid");
  }
  cuda_thread& self = me();
  self.has_copies   = true;
  pending_copy copy{shared, global, bytes, valid_bytes, self.loads.committed, copies_at_once()};
  if (copy.performed) {
    perform_async(copy);
  } else {
    self.loads.waiting.push_back(copy);
  }
}

void async_commit()
{
  me().has_copies = true;
  me().loads.commit();
}

void async_wait(unsigned pending)
{
  me().loads.retire(pending, perform_async);
}

// ---- mbarrier

void barrier_init(std::uint64_t* word, unsigned arrivals)
{
  require_capability(90, "mbarrier");
  require_shared(word, sizeof *word, "mbarrier init");
  require_aligned(word, sizeof *word, "an mbarrier");
  if (arrivals == 0 || arrivals >= 1u << 20) {
    fail("mbarrier init with " + std::to_string(arrivals) + " arrivals, must be from 1 to 1048575");
  }
  *word = std::uint64_t{barrier_magic} << 32 | e.barriers.size();
  e.barriers.push_back({word, arrivals, arrivals, 0, 0, linear_thread, false});
}

void barrier_fence_init()
{
  require_capability(90, "fence_barrier_init");
  for (memory_barrier& each : e.barriers) {
    each.fenced = each.fenced || each.initialised_by == linear_thread;
  }
}

void barrier_arrive(std::uint64_t* word, unsigned expected_bytes)
{
  unsigned const number = barrier_number(word, "mbarrier arrive");
  memory_barrier& b     = e.barriers[number];
  if (expected_bytes >= 1u << 20) {
    fail("mbarrier told to expect " + std::to_string(expected_bytes) +
         " bytes, must be at most 1048575");
  }
  if (b.missing == 0) { fail("mbarrier has more arrivals in a phase than its init said"); }
  b.bytes_missing += expected_bytes;
  --b.missing;
  complete_phase_if_due(number);
}

void barrier_wait(std::uint64_t* word, unsigned parity)
{
  unsigned const number = barrier_number(word, "mbarrier wait");
  if (parity > 1) {
    fail("mbarrier wait for parity " + std::to_string(parity) + ", must be 0 or 1");
  }
  if (phase_complete(number, parity)) { return; }
  perform_loads_of(number);
  if (phase_complete(number, parity)) { return; }
  me().barrier = number;
  me().parity  = parity;
  my_warp().polling |= my_bit();
  park();
}

// ---- cp.async.bulk

void bulk_load(void* shared, void const* global, unsigned bytes, std::uint64_t* word)
{
  require_bulk_operands(shared, global, bytes, "bulk_load");
  unsigned const number = barrier_number(word, "bulk_load");
  if (!e.barriers[number].fenced) {
    fail("bulk_load on an mbarrier without fence_barrier_init after its init");
  }
  pending_bulk_load const copy{shared, global, bytes, number};
  if (copies_at_once()) {
    perform(copy);
  } else {
    e.bulk_loads.push_back(copy);
  }
}

void bulk_store(void* global, void const* shared, unsigned bytes)
{
  require_bulk_operands(shared, global, bytes, "bulk_store");
  // Which thread wrote what is not known, so only a block without any fence is found out.
  if (!e.fenced) {
    fail("bulk_store of shared memory without fence_before_bulk after it was written");
  }
  cuda_thread& self = me();
  self.has_copies   = true;
  pending_copy copy{global, shared, bytes, bytes, self.stores.committed, copies_at_once()};
  if (copy.performed) { perform_store(copy); }
  self.stores.waiting.push_back(copy);
}

void bulk_commit()
{
  require_capability(90, "bulk_commit");
  me().has_copies = true;
  me().stores.commit();
}

void bulk_wait(unsigned pending)
{
  require_capability(90, "bulk_wait");
  me().stores.retire(pending, perform_store);
}

void bulk_fence()
{
  require_capability(90, "fence_before_bulk");
  e.fenced = true;
}

}  // namespace dwconv_emulation
