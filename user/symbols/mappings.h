// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which module held an address when a stack was taken. Addresses are used again after dlclose, so a
// mapping is known with the generations in which it stood.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace asrtrace::symbols {

struct CodeRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t file_offset = 0;  ///< bytes, of `begin`
    std::uint32_t module = 0;       ///< index given by the caller
    friend bool operator==(const CodeRange&, const CodeRange&) = default;
};

class Mappings {
  public:
    /// The executable ranges (sorted, disjoint) from `generation` on. A generation below the last
    /// one counts as the last one.
    void add_snapshot(std::uint32_t generation, const std::vector<CodeRange>& ranges);

    /// Null if nothing executable was there; a generation before the first snapshot uses the first.
    const CodeRange* find(std::uint32_t generation, std::uint64_t address) const;

    /// Ranges, oldest first, forgotten because more than 65536 had gone away.
    std::uint64_t dropped() const { return dropped_; }

  private:
    struct Span {
        CodeRange range;
        std::uint32_t from = 0;   ///< first generation
        std::uint32_t until = 0;  ///< one past the last; for past ones only
    };
    void retire(const Span& span, std::uint32_t generation);

    std::vector<Span> present_;
    std::multimap<std::uint64_t, Span> past_;  ///< by begin
    std::deque<std::multimap<std::uint64_t, Span>::iterator> oldest_first_;
    std::uint64_t longest_past_ = 0;  ///< bytes
    std::uint32_t first_generation_ = 0;
    std::uint32_t last_generation_ = 0;
    bool any_ = false;
    std::uint64_t dropped_ = 0;
};

}  // namespace asrtrace::symbols
