// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a recording has to say to people, one a line. A run of days must not pile up what happens
// again and again: of each such kind the first few are kept, the last few, and the number between.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace asrtrace {

class Notes {
  public:
    enum class Repeated : std::uint8_t { kBudget, kExec, kOomKill };
    static constexpr std::size_t kFirst = 4, kLast = 4;

    void add(std::string note) { lines_.emplace_back(std::move(note)); }
    void add(Repeated kind, std::string note);

    /// In order; those of a kind stand together, where the first of them came.
    std::vector<std::string> list() const;

  private:
    struct Series {
        std::vector<std::string> first;
        std::deque<std::string> last;
        std::uint64_t between = 0;
    };

    std::vector<std::variant<std::string, Repeated>> lines_;
    std::map<Repeated, Series> series_;
};

}  // namespace asrtrace
