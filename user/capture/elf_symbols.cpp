// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Symbols by name without holding a table: libtorch's are 30 MB of strings. One pass over the
// strings notes the offsets at which the wanted names end (linkers let "malloc" share the tail of
// "je_malloc"), one over the symbols picks those that use them.
#include <elf.h>

#include <algorithm>
#include <unordered_map>

#include "user/capture/elf_module.h"

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kMaxName = 4096;
constexpr std::size_t kMaxOffsets = 65536;
constexpr std::size_t kMaxFound = 4096;
constexpr std::uint64_t kMaxTable = 256ULL << 20;

using NameOffsets = std::unordered_map<std::uint64_t, std::size_t>;

/// Offset in the table -> index of the name that stands there.
NameOffsets find_names(const ByteSource& source, std::uint64_t offset, std::uint64_t size,
                       std::span<const std::string_view> names) {
    NameOffsets found;
    source.stream(offset, std::min(size, kMaxTable), kMaxName, [&](std::uint64_t at, Bytes piece) {
        const std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
        for (std::size_t begin = 0; begin < text.size();) {
            const std::size_t end = text.find('\0', begin);
            if (end == std::string_view::npos) break;
            const std::string_view entry = text.substr(begin, end - begin);
            for (std::size_t i = 0; i < names.size(); ++i)
                if (entry.ends_with(names[i]))
                    found.emplace(at - offset + end - names[i].size(), i);
            begin = end + 1;
        }
        return found.size() < kMaxOffsets;
    });
    return found;
}

bool is_defined(const Elf64_Sym& symbol) {
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) return false;
    return type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE || type == STT_GNU_IFUNC;
}

}  // namespace

void ElfModule::find_in_table(const SymbolTable& table, std::span<const std::string_view> names,
                              std::vector<ElfSymbol>& out) const {
    const NameOffsets offsets =
        find_names(source_, table.strings_offset, table.strings_size, names);
    if (offsets.empty()) return;
    const auto length = checked_mul<std::uint64_t>(table.count, sizeof(Elf64_Sym));
    const std::uint64_t bytes = std::min(length.value_or(kMaxTable), kMaxTable);
    // A piece is 1 MiB, not a multiple of a symbol: the overlap re-reads the one that was cut.
    source_.stream(table.offset, bytes, sizeof(Elf64_Sym), [&](std::uint64_t at, Bytes piece) {
        const std::uint64_t past = (at - table.offset) % sizeof(Elf64_Sym);
        std::size_t pos = past == 0 ? 0 : sizeof(Elf64_Sym) - past;
        for (; const auto symbol = read_at<Elf64_Sym>(piece, pos); pos += sizeof(Elf64_Sym)) {
            const auto name = offsets.find(symbol->st_name);
            if (name == offsets.end() || !is_defined(*symbol)) continue;
            const ElfSegment* segment = find_segment(symbol->st_value);
            const auto place = file_offset(symbol->st_value);
            const unsigned type = ELF64_ST_TYPE(symbol->st_info);
            const bool code =
                place && segment->executable && (type == STT_FUNC || type == STT_NOTYPE);
            out.push_back({std::string(names[name->second]), symbol->st_value, symbol->st_size,
                           place.value_or(0), code, type == STT_GNU_IFUNC});
            if (out.size() >= kMaxFound) return false;
        }
        return true;
    });
}

std::vector<ElfSymbol> ElfModule::find_in_tables(std::span<const std::string_view> names,
                                                 bool exported_only) const {
    std::vector<ElfSymbol> all;
    for (const SymbolTable& table : tables_)
        if (table.exported || !exported_only) find_in_table(table, names, all);
    // The same symbol stands in both tables, or twice where two pieces overlap.
    std::vector<ElfSymbol> unique;
    for (ElfSymbol& symbol : all) {
        const bool known = std::any_of(unique.begin(), unique.end(), [&](const ElfSymbol& other) {
            return other.vaddr == symbol.vaddr && other.name == symbol.name;
        });
        if (!known) unique.push_back(std::move(symbol));
    }
    return unique;
}

std::vector<ElfSymbol> ElfModule::find_symbols(std::span<const std::string_view> names) const {
    return find_in_tables(names, false);
}

std::vector<ElfSymbol> ElfModule::find_exported(std::span<const std::string_view> names) const {
    return find_in_tables(names, true);
}

std::optional<ElfSymbol> ElfModule::find_function(std::string_view name) const {
    for (ElfSymbol& symbol : find_symbols({&name, 1}))
        if (symbol.function) return std::move(symbol);
    return std::nullopt;
}

}  // namespace asrtrace::capture
