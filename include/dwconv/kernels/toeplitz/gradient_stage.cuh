// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include <dwconv/device/async_copy.cuh>
#include <dwconv/device/barrier.cuh>
#include <dwconv/device/bulk_copy.cuh>
#include <dwconv/device/element_pair.cuh>
#include <dwconv/device/warp.cuh>
#include <dwconv/kernels/toeplitz/gradient_params.hpp>
#include <dwconv/staging/memory_run.hpp>
#include <dwconv/staging/mover.hpp>
#include <dwconv/staging/tile_load.cuh>

DWCONV_ABI_NAMESPACE_BEGIN

/// An entry of the table that a block's warps share, of a piece to be laid out: where it lies, in
/// elements, and where it goes, in bytes; its row, run and block. Of a unit to be copied: where it
/// lies, in elements; its row, its number in the row, and where it goes.
struct gradient_entry {
  std::uint32_t places;
  std::uint32_t names;
};
static_assert(sizeof(gradient_entry) == gradient_entry_bytes);

/// Brings chunks into a warp's own areas of shared memory. A chunk is contiguous runs of memory,
/// the rows of an image or single rows; each lane looks after one: those of the first half of the
/// warp after x, the others after dy.
template <typename T, mover How>
class gradient_load {
 public:
  /// @param p      What the kernel is told.
  /// @param landed A barrier an area.
  __device__ gradient_load(toeplitz_gradient_params<T> const& p, transaction_barrier* landed)
    : p_{p}, landed_{landed}
  {}

  /// Once, before all else.
  __device__ void prepare()
  {
    if constexpr (How == mover::bulk) {
      if (lane_index() == 0) {
        for (int i = 0; i < gradient_layout::areas; ++i) { landed_[i].init(1); }
        fence_barrier_init();
      }
    }
    warp_sync();
  }

  /// Starts a chunk on its way into area number `index`, which no lane reads any more.
  ///
  /// @return How far past a 16-byte boundary this lane's run begins, in elements.
  [[nodiscard]] __device__ unsigned start(int index, unsigned char* area, gradient_item const& item,
                                          gradient_chunk const& c)
  {
    bool const whole = p_.policy.whole_rows;
    bool const of_x  = lane_index() < gradient_runs_most;
    int const run    = lane_index() % gradient_runs_most;
    auto const& t    = of_x ? p_.x : p_.dy;
    if (c.first) { begin_unit(t, item, c, of_x, whole ? run : 0); }
    int const rows       = of_x ? c.x_rows() : c.dy_rows;
    int const row        = (of_x ? c.x_row : c.dy_row) + (whole ? 0 : run);
    T const* const begin = plane_ + static_cast<std::int64_t>(row) * t.width;
    bool const here      = whole ? run < c.images && rows > 0 : run < rows && columns_ > 0;
    int const count      = !here ? 0 : whole ? rows * t.width : columns_;
    bool const aligned   = p_.way == gradient_way::as_copied;
    int const past       = aligned ? 0 : past_boundary(begin);
    T* const to =
      reinterpret_cast<T*>(area + (t.copied + run * t.area.run_pitch * copy_bytes)) + past;
    run_cut cut{0, count};
    if (!aligned && here) { cut = cut_outwards(begin, count, t.data, t.end); }
    if constexpr (How == mover::bulk) {
      start_bulk(landed_[index], to, begin, count, cut);
    } else {
      share_out(to, begin, count, cut);
    }
    return static_cast<unsigned>(past);
  }

  /// The same, by units.
  __device__ void start_units(unsigned char* area, gradient_entry const* table,
                              gradient_item const& item, gradient_chunk const& c)
  {
    copy_units(p_.x, item.input, item.staged_block(p_, c.block), c.x_row, c.x_rows(), area, table,
               c);
    copy_units(p_.dy, item.channel, c.block, c.dy_row, c.dy_rows, area, table, c);
    async_commit();
  }

  /// Instead of starting a chunk that is not there: waiting counts them.
  __device__ void skip()
  {
    if (How == mover::async || p_.way == gradient_way::by_units) { async_commit(); }
  }

  /// @param index   Of the area.
  /// @param phase   How often the area was waited for before.
  /// @param younger Chunks that were started, or skipped, since.
  __device__ void wait(int index, unsigned phase, int younger)
  {
    if (How == mover::async || p_.way == gradient_way::by_units) {
      if (younger == 0) {
        async_wait<0>();
      } else {
        async_wait<1>();
      }
    } else if constexpr (How == mover::bulk) {
      landed_[index].wait(phase & 1u);
    }
    warp_sync();
  }

 private:
  __device__ void begin_unit(gradient_tensor<T> const& t, gradient_item const& item,
                             gradient_chunk const& c, bool of_x, int image)
  {
    int const block  = of_x ? item.staged_block(p_, c.block) : p_.policy.whole_rows ? 0 : c.block;
    int const beside = c.block + item.first_block + (p_.policy.halves - 1);
    int const end    = (of_x ? beside : c.block) + p_.policy.blocks;
    columns_         = min(end * gradient_block, t.width) - block * gradient_block;
    plane_ = t.data + ((c.image + image) * t.image + (of_x ? item.input : item.channel) * t.plane +
                       block * gradient_block);
  }

  /// Rows of a tensor, each from a piece on; behind the end of a row, zeros to the end of a piece.
  __device__ void copy_units(gradient_tensor<T> const& t, int channel, int block, int row, int rows,
                             unsigned char* area, gradient_entry const* table,
                             gradient_chunk const& c)
  {
    T const* from        = t.data + (c.image * t.image + channel * t.plane +
                              static_cast<std::int64_t>(row) * t.width + block * gradient_block);
    unsigned char* to    = area + t.laid_out;
    int const columns    = t.width - block * gradient_block;
    unsigned const most  = static_cast<unsigned>(rows);
    auto const copy_with = [&](auto bytes) {
      constexpr int unit  = decltype(bytes)::value;
      unsigned const here = static_cast<unsigned>(max(columns, 0)) * 2 / unit;
      for (int image = 0; image < c.images; ++image, from += t.image, to += t.image_pitch) {
#pragma unroll 4
        for (int i = lane_index(); i < t.entries; i += warp_lanes) {
          gradient_entry const e = table[t.entry + i];
          if ((e.names & 255u) >= most) { continue; }
          bool const in_row = (e.names >> 8 & 255u) < here;
          async_copy<unit>(to + (e.names >> 16), from + (in_row ? e.places : 0u),
                           in_row ? unit : 0);
        }
      }
    };
    switch (t.unit) {
      case 16: return copy_with(std::integral_constant<int, 16>{});
      case 8: return copy_with(std::integral_constant<int, 8>{});
      default: return copy_with(std::integral_constant<int, 4>{});
    }
  }

  __device__ void start_bulk(transaction_barrier& landed, T* to, T const* run, int count,
                             run_cut cut)
  {
    if (count > 0 && p_.way != gradient_way::as_copied) { copy_ends(to, run, count, cut, 0, 1); }
    unsigned const bytes = cut.has_pieces() ? static_cast<unsigned>(cut.last - cut.first) *
                                                static_cast<unsigned>(sizeof(T))
                                            : 0;
    unsigned const all   = warp_sum(bytes);
    warp_sync();
    if (lane_index() == 0) { landed.arrive_and_expect(all); }
    warp_sync();
    if (bytes == 0) { return; }
    if (p_.policy.passing) {
      bulk_load_passing(to + cut.first, run + cut.first, bytes, landed);
    } else {
      bulk_load(to + cut.first, run + cut.first, bytes, landed);
    }
  }

  /// Pieces of each run in turn, shared out among the lanes.
  __device__ void share_out(T* to, T const* run, int count, run_cut cut)
  {
#pragma unroll 1
    for (int r = 0; r < warp_lanes; ++r) {
      int const of_run = shuffle(count, r);
      if (of_run == 0) { continue; }
      T* const shared       = shuffle(to, r);
      T const* const memory = shuffle(run, r);
      run_cut const part{shuffle(cut.first, r), shuffle(cut.last, r)};
      copy_ends(shared, memory, of_run, part, lane_index(), warp_lanes);
      for (int e = part.first + lane_index() * gradient_block; e < part.last;
           e += warp_lanes * gradient_block) {
        if constexpr (How == mover::async) {
          async_copy<copy_bytes>(shared + e, memory + e);
        } else {
          *reinterpret_cast<uint4*>(shared + e) = *reinterpret_cast<uint4 const*>(memory + e);
        }
      }
    }
    if constexpr (How == mover::async) { async_commit(); }
  }

  toeplitz_gradient_params<T> const& p_;
  transaction_barrier* landed_;
  T const* plane_ = nullptr;  ///< Row 0 of the lane's image and columns.
  int columns_    = 0;
};

/// Fills a tensor's part of the table that says where pieces to be laid out lie. Neighbouring
/// entries are in neighbouring rows, for those begin at different banks.
template <typename T>
__device__ void list_pieces(toeplitz_gradient_params<T> const& p, gradient_tensor<T> const& t,
                            gradient_entry* table)
{
  bool const whole = p.policy.whole_rows;
  for (int i = static_cast<int>(threadIdx.x); i < p.policy.images * t.entries;
       i += static_cast<int>(blockDim.x)) {
    int const image  = t.by_entries.quotient(i);
    int const column = t.by_rows.quotient(i);  // of pieces, as high as a chunk
    int const row    = i - column * t.area.rows;
    int const block  = column - image * t.area.blocks;
    int const run    = whole ? image : row;
    int const from =
      (run * t.area.run_pitch + block) * gradient_block + (whole ? row * t.width : 0);
    int const to       = (image * t.area.image_pitch + row * t.area.row_pitch + block) * copy_bytes;
    table[t.entry + i] = {static_cast<std::uint32_t>(from | to << 16),
                          static_cast<std::uint32_t>(row | run << 8 | block << 16)};
  }
}

/// The same for units to be copied, row after row, of one image.
template <typename T>
__device__ void list_units(gradient_tensor<T> const& t, gradient_entry* table)
{
  int const of_row  = t.area.blocks * (copy_bytes / t.unit);
  int const element = t.unit / static_cast<int>(sizeof(T));
  int row           = 0;
  int unit          = static_cast<int>(threadIdx.x);
  for (int i = unit; i < t.entries; i += static_cast<int>(blockDim.x)) {
    for (; unit >= of_row; unit -= of_row) { ++row; }
    auto const from    = static_cast<std::uint32_t>(row * t.width + unit * element);
    int const to       = row * t.area.row_pitch * copy_bytes + unit * t.unit;
    table[t.entry + i] = {from, static_cast<std::uint32_t>(row | unit << 8 | to << 16)};
    unit += static_cast<int>(blockDim.x);
  }
}

/// Lays a tensor's part of a chunk out: each row begins with a piece, and ends with zeros where it
/// does not fill its last one.
///
/// @param t        The tensor.
/// @param table    Where its pieces lie and go.
/// @param images   Of the chunk,
/// @param rows     and of each of them.
/// @param block    First one that is staged.
/// @param past     How far past a boundary the first run begins.
/// @param copied   The area they were copied to,
/// @param laid_out and the one they go to.
template <typename T>
__device__ void lay_out_rows(gradient_tensor<T> const& t, gradient_entry const* table, int images,
                             int rows, int block, int past, unsigned char const* copied,
                             unsigned char* laid_out)
{
  copied += t.copied;
  laid_out += t.laid_out;
  unsigned const last             = static_cast<unsigned>(t.blocks - 1 - block);
  unsigned const staged           = static_cast<unsigned>(rows);
  unsigned const first            = static_cast<unsigned>(past);
  unsigned const shift            = static_cast<unsigned>(t.run_shift);
  gradient_entry const* at        = table + (t.entry + lane_index());
  gradient_entry const* const end = table + (t.entry + images * t.entries);
#pragma unroll 2
  for (; at < end; at += warp_lanes) {
    gradient_entry const e = *at;
    unsigned const own     = e.names >> 16;
    if ((e.names & 255u) >= staged || own > last) { continue; }
    unsigned const own_past = (first + (e.names >> 8 & 255u) * shift) % gradient_block;
    unsigned const element  = (e.places & 0xffffu) + own_past;
    auto const* const pair  = reinterpret_cast<T const*>(copied) + (element & ~1u);
    std::uint32_t w[5];
#pragma unroll
    for (int k = 0; k < 5; ++k) { w[k] = load_pair(pair + 2 * k); }
    int const odd = static_cast<int>(element & 1u) * 16;
#pragma unroll
    for (int k = 0; k < 4; ++k) { w[k] = funnel_pair(w[k], w[k + 1], odd); }
#pragma unroll
    for (int k = 0; k < 4; ++k) { w[k] = own == last ? w[k] & t.tail[k] : w[k]; }
    *reinterpret_cast<uint4*>(laid_out + (e.places >> 16)) = uint4{w[0], w[1], w[2], w[3]};
  }
}

DWCONV_ABI_NAMESPACE_END
