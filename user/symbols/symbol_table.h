// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The functions of a .symtab or .dynsym, sorted by address: 16 bytes a symbol, names stay in the
// file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "user/symbols/elf_image.h"
#include "user/symbols/frame_index.h"

namespace asrtrace::symbols {

struct Symbol {
    std::uint64_t vaddr = 0;
    std::uint64_t size_bytes = 0;  ///< 0: not told (assembly)
    std::string_view name;         ///< mangled, in the image; bounded_name
    bool indirect = false;         ///< STT_GNU_IFUNC: the address is a resolver's
};

class SymbolTable {
  public:
    /// `section_type` is SHT_SYMTAB or SHT_DYNSYM. An absent or damaged table gives an empty one.
    /// `code` tells which addresses are executable, and where functions begin (a debug file's image
    /// may not). Both must outlive the table. At most 4 Mi symbols are read.
    SymbolTable(const ElfImage& image, std::uint32_t section_type, const ElfImage& code);

    bool empty() const { return entries_.empty(); }
    std::size_t cost_bytes() const { return entries_.capacity() * sizeof(Entry); }

    /// The function that holds `vaddr`; a symbol without a size reaches to the next symbol, to
    /// where another function begins by its call frame information, or to its section's end, at
    /// most 4 KiB.
    std::optional<Symbol> find(std::uint64_t vaddr) const;
    /// True if one of the symbols at exactly `vaddr` has this name.
    bool has_name(std::uint64_t vaddr, std::string_view name) const;
    /// All of them in the order of their addresses, aliases included.
    void for_each(const std::function<void(const Symbol&)>& visit) const;

  private:
    struct Entry {
        std::uint64_t vaddr;
        std::uint32_t size_bytes;
        std::uint32_t index;  ///< into the section
    };
    void read(Elf_Scn* section, const ElfImage& code);
    void read_symbols(Elf_Scn* section, const ElfImage& code);
    bool label_reaches(const Entry& entry, std::uint64_t vaddr) const;
    Symbol symbol_of(const Entry& entry) const;
    bool prefer(const Entry& a, const Entry& b) const;

    const ElfImage* image_;
    FrameIndex functions_;
    Elf_Data* data_ = nullptr;
    std::size_t strings_ = 0;
    std::vector<Entry> entries_;
};

}  // namespace asrtrace::symbols
