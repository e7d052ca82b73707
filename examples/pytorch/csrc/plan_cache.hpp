// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <dwconv/problem/descriptor.hpp>

namespace dwconv_torch {

/// The plans a thread made last. Planning takes 3 to 30 microseconds, and a model asks for the same
/// few problems over and over.
template <typename Plan>
class plan_cache {
 public:
  /// The plan of a problem, made by `make()` where it is not remembered.
  template <typename Make>
  Plan const& find(dwconv::conv2d_problem const& problem, int device, Make const& make)
  {
    entry& kept = entries_[place_of(problem, device)];
    if (kept.device != device || kept.plan.problem != problem) {
      kept.device = -1;
      kept.plan   = make();
      // A refusal is not remembered: what was wrong with the device may pass.
      if (kept.plan.outcome.ok()) { kept.device = device; }
    }
    return kept.plan;
  }

 private:
  struct entry {
    int device = -1;
    Plan plan{};
  };
  static constexpr std::size_t places = 128;

  [[nodiscard]] static std::size_t place_of(dwconv::conv2d_problem const& p, int device) noexcept
  {
    std::uint64_t hash        = static_cast<std::uint64_t>(device);
    std::int64_t const axes[] = {p.batch,
                                 p.channels,
                                 p.multiplier,
                                 p.input.height,
                                 p.input.width,
                                 p.filter.height,
                                 p.filter.width,
                                 p.stride.height,
                                 p.stride.width,
                                 p.dilation.width,
                                 p.pad.top,
                                 p.pad.left,
                                 static_cast<std::int64_t>(p.data_layout)};
    for (std::int64_t const axis : axes) {
      hash = (hash ^ static_cast<std::uint64_t>(axis)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    return static_cast<std::size_t>(hash % places);
  }

  std::array<entry, places> entries_{};
};

}  // namespace dwconv_torch
