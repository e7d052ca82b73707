// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include <dwconv/core/element.cuh>

#include "forward/inputs.hpp"

/// A queue of cases an element type.
template <template <typename> class Queue>
struct element_queues {
  Queue<float> singles;
  Queue<double> doubles;
  Queue<__half> halves;
  Queue<__nv_bfloat16> bfloats;

  /// Adds a problem, in an element type that chance decides.
  void add(dwconv::conv2d_problem const& problem, dice& random)
  {
    std::uint64_t const seed = random.roll();
    switch (random.between(0, 3)) {
      case 0: return singles.add(problem, seed);
      case 1: return doubles.add(problem, seed);
      case 2: return halves.add(problem, seed);
      default: return bfloats.add(problem, seed);
    }
  }

  void flush() { singles.flush(), doubles.flush(), halves.flush(), bfloats.flush(); }

  /// What `number` says of all queues together.
  template <typename Number>
  [[nodiscard]] int sum(Number const& number) const
  {
    return number(singles) + number(doubles) + number(halves) + number(bfloats);
  }

  [[nodiscard]] int wrong() const
  {
    return sum([](auto const& queue) { return queue.wrong(); });
  }
  [[nodiscard]] int count() const
  {
    return sum([](auto const& queue) { return queue.count(); });
  }
  /// Cases of the element type that has fewest.
  [[nodiscard]] int fewest() const
  {
    return std::min({singles.count(), doubles.count(), halves.count(), bfloats.count()});
  }
};
