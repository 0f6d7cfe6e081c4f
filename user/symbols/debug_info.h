// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Functions, inlined calls and lines from DWARF 2 to 5, read with libdw. Two indexes keep lookups
// short: address -> compilation unit for the file, address -> function for each unit that was asked
// for. What a damaged or hostile file can make us spend is bounded by a CPU-time budget.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "user/base/result.h"
#include "user/base/work_budget.h"
#include "user/symbols/elf_image.h"

namespace asrtrace::symbols {

struct RawFrame {
    std::string
        linkage_name;  ///< the assembler's name; empty for C and for what is local to a file
    std::string name;  ///< with namespaces and classes, without parameters
    std::string file;
    std::uint32_t line = 0;
    bool inlined = false;
};

class DebugInfo {
  public:
    /// `debug` holds the DWARF (and outlives the result), `code` the segments: the same image or
    /// its separate debug file; `shared` is what its .gnu_debugaltlink (dwz) names, or null.
    /// Errors: no or damaged DWARF, compressed sections that inflate past `max_inflated_bytes`.
    static Result<std::unique_ptr<DebugInfo>> open(const ElfImage& debug, const ElfImage& code,
                                                   const ElfImage* shared,
                                                   std::uint64_t max_inflated_bytes);

    /// Frames of `vaddr`, innermost first; empty if no function's DWARF covers it. `line_only`
    /// then still gets the line if the line table knows it.
    std::vector<RawFrame> frames_at(std::uint64_t vaddr, RawFrame& line_only);

    /// Heap memory in use, about.
    std::size_t cost_bytes() const { return cost_bytes_; }
    /// Bytes of the file read since the last call: resident until they are dropped.
    std::size_t take_touched_bytes();
    /// The budget of time or memory is spent; nothing more will be answered.
    bool exhausted() const { return budget_.spent(); }

  private:
    struct EndDwarf {
        void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
    };
    using DwarfHandle = std::unique_ptr<Dwarf, EndDwarf>;
    struct Range {
        std::uint64_t begin;
        std::uint64_t end;
        std::uint64_t die_offset;  ///< of the unit or of the function
    };
    struct Unit {
        std::vector<Range> functions;
        /// Enclosing scopes of functions that have no linkage name: "ns::(anonymous namespace)::".
        std::unordered_map<std::uint64_t, std::string> scopes;
        bool lines_usable = false;
    };
    /// State of the walk over a unit's scopes.
    struct Walk {
        Unit& unit;
        std::string scope;  ///< around the current DIE
        std::uint64_t last_offset = 0;
        int depth = 0;
    };

    DebugInfo(const ElfImage& debug, const ElfImage& code);
    bool may_go_on();
    void index_units();
    void add_ranges(Dwarf_Die& die, std::vector<Range>& ranges);
    static void sort_ranges(std::vector<Range>& ranges);
    Unit& unit_at(Dwarf_Die& unit_die);
    void index_functions(Dwarf_Die& parent, Walk& walk);
    void index_function(Dwarf_Die& die, Walk& walk);
    void read_lines(Dwarf_Die& unit_die, Unit& unit);
    std::vector<Dwarf_Die> inline_chain(Dwarf_Die function, std::uint64_t vaddr);
    void name_frame(Dwarf_Die& die, const Unit& unit, RawFrame& frame);
    void place_frame(Dwarf_Die& unit_die, std::uint64_t vaddr, RawFrame& frame);
    static void place_call(Dwarf_Die& unit_die, Dwarf_Die& call, RawFrame& frame);

    const ElfImage* debug_;
    const ElfImage* code_;
    Bytes line_section_;
    DwarfHandle shared_;
    DwarfHandle dwarf_;
    WorkBudget budget_;
    std::vector<Range> units_index_;
    std::unordered_map<std::uint64_t, Unit> units_;
    std::size_t cost_bytes_ = 0;
    std::size_t touched_bytes_ = 0;
};

}  // namespace asrtrace::symbols
