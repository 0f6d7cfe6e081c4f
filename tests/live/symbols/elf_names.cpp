// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/live/symbols/elf_names.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "tests/unit/symbols_oracle.h"
#include "user/base/fd.h"
#include "user/symbols/demangle.h"

namespace asrtrace::symbols {
namespace {

using testing::same_function;

std::string debug_path(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    Elf* elf = elf_begin(fd.get(), ELF_C_READ, nullptr);
    const void* id = nullptr;
    const ssize_t bytes = dwelf_elf_gnu_build_id(elf, &id);
    std::string out = "/usr/lib/debug/.build-id/";
    for (ssize_t i = 0; i < bytes; ++i) {
        std::array<char, 4> hex{};
        std::snprintf(hex.data(), hex.size(), "%02x", static_cast<const unsigned char*>(id)[i]);
        out += hex.data();
        if (i == 0) out += '/';
    }
    elf_end(elf);
    return out + ".debug";
}

/// Without parameters and clone suffix.
std::string plain(const std::string& name) {
    return std::string(without_parameters(name));
}

bool is_code_symbol(const GElf_Sym& symbol) {
    const int type = GELF_ST_TYPE(symbol.st_info);
    return symbol.st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

}  // namespace

ElfNames::ElfNames(const std::string& path) {
    elf_version(EV_CURRENT);
    read(path);
    const std::size_t sections = code_.size();
    read(debug_path(path));
    code_.resize(sections);  // a debug file has the same, without content
    std::sort(names_.begin(), names_.end(),
              [](const NamedExtent& a, const NamedExtent& b) { return a.vaddr < b.vaddr; });
}

void ElfNames::read(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return;
    Elf* elf = elf_begin(fd.get(), ELF_C_READ, nullptr);
    for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        gelf_getshdr(section, &header);
        if ((header.sh_flags & SHF_EXECINSTR) != 0) {
            code_.push_back({header.sh_addr, header.sh_offset, header.sh_size});
        }
        if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
        has_symtab_ = has_symtab_ || header.sh_type == SHT_SYMTAB;
        Elf_Data* data = elf_getdata(section, nullptr);
        GElf_Sym symbol;
        for (int i = 1; gelf_getsym(data, i, &symbol) != nullptr; ++i) {
            if (!is_code_symbol(symbol)) continue;
            const std::string name = demangle(elf_strptr(elf, header.sh_link, symbol.st_name));
            names_.push_back({symbol.st_value, symbol.st_size, name});
            addresses_[plain(name)].insert(symbol.st_value);
        }
    }
    elf_end(elf);
}

bool ElfNames::covered(std::uint64_t vaddr) const {
    return std::any_of(names_.begin(), names_.end(), [&](const NamedExtent& extent) {
        return vaddr - extent.vaddr < extent.bytes;
    });
}

bool ElfNames::are_aliases(const std::string& one, const std::string& other) const {
    const auto first = addresses_.find(plain(one));
    const auto second = addresses_.find(plain(other));
    if (first == addresses_.end() || second == addresses_.end()) return false;
    return std::any_of(first->second.begin(), first->second.end(),
                       [&](std::uint64_t address) { return second->second.contains(address); });
}

bool ElfNames::is_behind(std::uint64_t vaddr, const std::string& name) const {
    if (covered(vaddr)) return false;
    const auto after = std::upper_bound(
        names_.begin(), names_.end(), vaddr,
        [](std::uint64_t at, const NamedExtent& extent) { return at < extent.vaddr; });
    if (after == names_.begin()) return false;
    const std::uint64_t nearest = std::prev(after)->vaddr;
    return std::any_of(names_.begin(), after, [&](const NamedExtent& extent) {
        return extent.vaddr == nearest && same_function(extent.name, name);
    });
}

}  // namespace asrtrace::symbols
