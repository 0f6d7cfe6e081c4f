// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How long requests took, at bounded memory: counts in classes that are 1 % wide.
#pragma once

#include <cstdint>
#include <map>

namespace asrtrace::load {

class Latencies {
  public:
    void add(double milliseconds);
    std::uint64_t count() const { return count_; }
    /// By nearest rank, 0..100, to within 1 %; 0 if there are none.
    double percentile(double percent) const;
    double most() const { return most_; }

  private:
    std::map<int, std::uint64_t> classes_;
    std::uint64_t count_ = 0;
    double most_ = 0;
};

}  // namespace asrtrace::load
