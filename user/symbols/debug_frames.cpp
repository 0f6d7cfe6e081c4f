// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// DebugInfo: from a function's DIE to the chain of inlined calls at an address, with names and
// places.
#include <dwarf.h>

#include "user/base/escape.h"
#include "user/symbols/debug_info.h"
#include "user/symbols/demangle.h"

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kMaxInlineDepth = 256;
constexpr int kMaxReferences = 16;

bool is_block(int tag) {
    return tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

std::string string_attribute(Dwarf_Die& die, unsigned int name) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(&die, name, &attribute) == nullptr) return {};
    return std::string(bounded_name(dwarf_formstring(&attribute)));
}

/// The DIE where the function was declared: behind abstract origins and specifications.
Dwarf_Die declaration_of(Dwarf_Die die) {
    for (int i = 0; i < kMaxReferences; ++i) {
        Dwarf_Attribute attribute;
        Dwarf_Die next;
        if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr &&
            dwarf_attr(&die, DW_AT_specification, &attribute) == nullptr) {
            break;
        }
        if (dwarf_formref_die(&attribute, &next) == nullptr) break;
        die = next;
    }
    return die;
}

}  // namespace

std::vector<Dwarf_Die> DebugInfo::inline_chain(Dwarf_Die function, std::uint64_t vaddr) {
    std::vector<Dwarf_Die> chain{function};
    Dwarf_Die parent = function;
    for (std::size_t depth = 0; depth < kMaxInlineDepth; ++depth) {
        Dwarf_Die die;
        if (dwarf_child(&parent, &die) != 0) return chain;
        bool deeper = false;
        std::uint64_t last_offset = 0;
        do {
            const std::uint64_t offset = dwarf_dieoffset(&die);
            if (offset <= last_offset || !may_go_on()) return chain;
            last_offset = offset;
            const int tag = dwarf_tag(&die);
            if (tag != DW_TAG_inlined_subroutine && !is_block(tag)) continue;
            if (dwarf_haspc(&die, vaddr) <= 0) continue;
            if (tag == DW_TAG_inlined_subroutine) chain.push_back(die);
            deeper = true;
            break;
        } while (dwarf_siblingof(&die, &die) == 0);
        if (!deeper) return chain;
        parent = die;
    }
    return chain;
}

void DebugInfo::name_frame(Dwarf_Die& die, const Unit& unit, RawFrame& frame) {
    frame.linkage_name = string_attribute(die, DW_AT_linkage_name);
    if (frame.linkage_name.empty()) {
        frame.linkage_name = string_attribute(die, DW_AT_MIPS_linkage_name);
    }
    if (is_mangled(frame.linkage_name)) return;
    frame.name = string_attribute(die, DW_AT_name);
    Dwarf_Die declaration = declaration_of(die);
    const auto scope = unit.scopes.find(dwarf_dieoffset(&declaration));
    if (scope != unit.scopes.end() && !frame.name.empty()) {
        frame.name.insert(0, scope->second);
    }
}

void DebugInfo::place_frame(Dwarf_Die& unit_die, std::uint64_t vaddr, RawFrame& frame) {
    Dwarf_Line* row = dwarf_getsrc_die(&unit_die, vaddr);
    if (row == nullptr) return;
    int line = 0;
    if (dwarf_lineno(row, &line) == 0 && line > 0) frame.line = static_cast<std::uint32_t>(line);
    frame.file = cut_text(bounded_name(dwarf_linesrc(row, nullptr, nullptr)));
}

void DebugInfo::place_call(Dwarf_Die& unit_die, Dwarf_Die& call, RawFrame& frame) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(&call, DW_AT_call_line, &attribute) != nullptr &&
        dwarf_formudata(&attribute, &value) == 0 && value <= UINT32_MAX) {
        frame.line = static_cast<std::uint32_t>(value);
    }
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (dwarf_attr(&call, DW_AT_call_file, &attribute) == nullptr ||
        dwarf_formudata(&attribute, &value) != 0 ||
        dwarf_getsrcfiles(&unit_die, &files, &count) != 0 || value >= count) {
        return;
    }
    frame.file = cut_text(bounded_name(dwarf_filesrc(files, value, nullptr, nullptr)));
}

}  // namespace asrtrace::symbols
