// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// DebugInfo: the index of one compilation unit, made when its first address is asked for.
#include <dwarf.h>

#include <algorithm>

#include "user/base/escape.h"
#include "user/symbols/debug_info.h"
#include "user/symbols/demangle.h"

namespace asrtrace::symbols {
namespace {

constexpr int kMaxScopeDepth = 64;
/// A line program of L bytes makes up to L rows of 40 bytes in libdw.
constexpr std::uint64_t kMaxLineProgramBytes = std::uint64_t{4} << 20U;
constexpr std::size_t kLineRowBytes = 48;

bool is_scope(int tag) {
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

bool has_linkage_name(Dwarf_Die& die) {
    return dwarf_hasattr(&die, DW_AT_linkage_name) != 0 ||
           dwarf_hasattr(&die, DW_AT_MIPS_linkage_name) != 0;
}

std::string scope_name(Dwarf_Die& die) {
    if (const char* name = dwarf_diename(&die)) return cut_text(bounded_name(name)) + "::";
    return dwarf_tag(&die) == DW_TAG_namespace ? "(anonymous namespace)::" : "";
}

}  // namespace

DebugInfo::Unit& DebugInfo::unit_at(Dwarf_Die& unit_die) {
    const auto [found, added] = units_.try_emplace(dwarf_dieoffset(&unit_die));
    Unit& unit = found->second;
    if (!added) return unit;
    Walk walk{unit, {}};
    index_functions(unit_die, walk);
    sort_ranges(unit.functions);
    cost_bytes_ += sizeof(Unit);
    touched_bytes_ += walk.last_offset - std::min(walk.last_offset, dwarf_dieoffset(&unit_die));
    read_lines(unit_die, unit);
    return unit;
}

void DebugInfo::index_functions(Dwarf_Die& parent, Walk& walk) {
    Dwarf_Die die;
    if (walk.depth >= kMaxScopeDepth || dwarf_child(&parent, &die) != 0) return;
    do {
        const std::uint64_t offset = dwarf_dieoffset(&die);
        if (offset <= walk.last_offset || !may_go_on()) return;  // a hostile sibling goes back
        walk.last_offset = offset;
        const int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram) index_function(die, walk);
        // A lambda of a constructor may stand nowhere but in the class that it makes, in there.
        const bool body = tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block;
        if ((body || is_scope(tag)) && dwarf_haschildren(&die) > 0) {
            const std::size_t outer = walk.scope.size();
            if (!body && outer < kMaxNameBytes) walk.scope += scope_name(die);
            ++walk.depth;
            index_functions(die, walk);
            --walk.depth;
            walk.scope.resize(outer);
        }
    } while (dwarf_siblingof(&die, &die) == 0);
}

void DebugInfo::index_function(Dwarf_Die& die, Walk& walk) {
    if (dwarf_hasattr(&die, DW_AT_low_pc) != 0 || dwarf_hasattr(&die, DW_AT_ranges) != 0) {
        add_ranges(die, walk.unit.functions);
    }
    if (walk.scope.empty() || has_linkage_name(die) ||
        dwarf_hasattr(&die, DW_AT_specification) != 0 ||
        dwarf_hasattr(&die, DW_AT_abstract_origin) != 0) {
        return;
    }
    walk.unit.scopes.emplace(dwarf_dieoffset(&die), walk.scope);
    cost_bytes_ += 64 + walk.scope.size();
}

void DebugInfo::read_lines(Dwarf_Die& unit_die, Unit& unit) {
    Dwarf_Attribute attribute;
    Dwarf_Word offset = 0;
    if (dwarf_attr(&unit_die, DW_AT_stmt_list, &attribute) == nullptr ||
        dwarf_formudata(&attribute, &offset) != 0) {
        return;
    }
    const auto length = read_at<std::uint32_t>(line_section_, offset);
    if (!length || *length > kMaxLineProgramBytes) return;
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    unit.lines_usable = dwarf_getsrclines(&unit_die, &lines, &count) == 0;
    cost_bytes_ += count * kLineRowBytes;
    touched_bytes_ += *length;
}

}  // namespace asrtrace::symbols
