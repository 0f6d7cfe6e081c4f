// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/symbol_table.h"

#include <gelf.h>

#include <algorithm>
#include <tuple>

#include "user/symbols/demangle.h"

namespace asrtrace::symbols {
namespace {

/// In a stripped library the next symbol may be megabytes away: further than this a label is a
/// guess.
constexpr std::uint64_t kLabelReachBytes = 4096;
constexpr std::uint64_t kMaxCopiedBytes = std::uint64_t{16} << 20U;
constexpr std::size_t kMaxSymbols = std::size_t{4} << 20U;
/// Symbols that start before an address but end before it too: how many are passed over.
constexpr int kMaxSymbolsBack = 64;

/// Where a label's section ends: "_init" must not name the PLT behind .init.
std::uint64_t section_end(const ElfImage& image, const GElf_Sym& symbol) {
    GElf_Shdr header;
    if (gelf_getshdr(elf_getscn(image.elf(), symbol.st_shndx), &header) == nullptr) return 0;
    return header.sh_addr + header.sh_size;
}

bool is_function(const GElf_Sym& symbol) {
    const int type = GELF_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) return false;
    return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

}  // namespace

SymbolTable::SymbolTable(const ElfImage& image, std::uint32_t section_type, const ElfImage& code)
    : image_(&image), functions_(code) {
    Elf_Scn* section = nullptr;
    for (int i = 0; i < (1 << 16); ++i) {
        section = elf_nextscn(image.elf(), section);
        if (section == nullptr) return;
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) continue;
        if (header.sh_type == section_type) {
            read(section, code);
            return;
        }
    }
}

void SymbolTable::read(Elf_Scn* section, const ElfImage& code) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return;
    if (!image_->is_terminated(header.sh_link)) return;
    // What is not aligned libelf copies to memory, however much it is.
    if (header.sh_offset % alignof(Elf64_Sym) != 0 && header.sh_size > kMaxCopiedBytes) return;
    data_ = elf_getdata(section, nullptr);
    if (data_ == nullptr) return;
    strings_ = header.sh_link;
    read_symbols(section, code);
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.vaddr < b.vaddr; });
    entries_.shrink_to_fit();
}

void SymbolTable::read_symbols(Elf_Scn* section, const ElfImage& code) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_entsize == 0) return;
    const std::size_t count = std::min<std::size_t>(data_->d_size / header.sh_entsize, kMaxSymbols);
    for (std::size_t i = 1; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data_, static_cast<int>(i), &symbol) == nullptr) break;
        if (!is_function(symbol) || symbol.st_name == 0) continue;
        if (!code.is_executable(symbol.st_value)) continue;
        // "$x" and "$d" of arm64 mark code and data and name nothing.
        if (const char* name = elf_strptr(image_->elf(), strings_, symbol.st_name);
            name == nullptr || name[0] == '\0' || name[0] == '$') {
            continue;
        }
        entries_.push_back(
            {symbol.st_value,
             static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.st_size, UINT32_MAX)),
             static_cast<std::uint32_t>(i)});
    }
}

bool SymbolTable::label_reaches(const Entry& entry, std::uint64_t vaddr) const {
    GElf_Sym symbol;
    const auto begin = functions_.begin_before(vaddr);
    return vaddr - entry.vaddr < kLabelReachBytes && (!begin || *begin <= entry.vaddr) &&
           gelf_getsym(data_, static_cast<int>(entry.index), &symbol) != nullptr &&
           vaddr < section_end(*image_, symbol);
}

Symbol SymbolTable::symbol_of(const Entry& entry) const {
    Symbol found{entry.vaddr, entry.size_bytes, {}, false};
    GElf_Sym symbol;
    if (gelf_getsym(data_, static_cast<int>(entry.index), &symbol) == nullptr) return found;
    found.indirect = GELF_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC;
    found.name = bounded_name(elf_strptr(image_->elf(), strings_, symbol.st_name));
    return found;
}

/// Of two names for one address: functions before labels, exported before local, then the plainer
/// name ("malloc" before "__libc_malloc").
bool SymbolTable::prefer(const Entry& a, const Entry& b) const {
    const auto rank = [this](const Entry& entry) {
        GElf_Sym symbol{};
        gelf_getsym(data_, static_cast<int>(entry.index), &symbol);
        const int type = GELF_ST_TYPE(symbol.st_info);
        const int binding = GELF_ST_BIND(symbol.st_info);
        const std::string_view name = symbol_of(entry).name;
        const std::size_t underscores = std::min(name.find_first_not_of('_'), name.size());
        return std::tuple(type == STT_NOTYPE, binding == STB_LOCAL, underscores,
                          binding == STB_WEAK, name.size(), name);
    };
    return rank(a) < rank(b);
}

std::optional<Symbol> SymbolTable::find(std::uint64_t vaddr) const {
    const auto after = std::upper_bound(
        entries_.begin(), entries_.end(), vaddr,
        [](std::uint64_t address, const Entry& entry) { return address < entry.vaddr; });
    const Entry* best = nullptr;
    auto entry = after;
    for (int step = 0; step < kMaxSymbolsBack && entry != entries_.begin(); ++step) {
        --entry;
        if (best != nullptr && entry->vaddr != best->vaddr) break;
        const bool nearest = entry->vaddr == std::prev(after)->vaddr;
        const bool inside = vaddr - entry->vaddr < entry->size_bytes ||
                            (entry->size_bytes == 0 && nearest && label_reaches(*entry, vaddr));
        if (!inside) continue;
        const bool sized_over_label = best != nullptr && best->size_bytes == 0 && entry->size_bytes;
        if (best == nullptr || sized_over_label ||
            ((best->size_bytes == 0) == (entry->size_bytes == 0) && prefer(*entry, *best))) {
            best = &*entry;
        }
    }
    if (best == nullptr) return {};
    return symbol_of(*best);
}

bool SymbolTable::has_name(std::uint64_t vaddr, std::string_view name) const {
    auto entry = std::lower_bound(
        entries_.begin(), entries_.end(), vaddr,
        [](const Entry& candidate, std::uint64_t address) { return candidate.vaddr < address; });
    for (; entry != entries_.end() && entry->vaddr == vaddr; ++entry) {
        if (symbol_of(*entry).name == name) return true;
    }
    return false;
}

void SymbolTable::for_each(const std::function<void(const Symbol&)>& visit) const {
    for (const Entry& entry : entries_) visit(symbol_of(entry));
}

}  // namespace asrtrace::symbols
