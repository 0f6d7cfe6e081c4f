// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Name -> entries of functions, for --request func:[MODULE:]SYMBOL.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/symbols/symbolizer.h"

namespace asrtrace::symbols {

struct FunctionAddress {
    std::string name;               ///< demangled, whole
    std::string symbol;             ///< as in the symbol table, mangled
    std::uint64_t vaddr = 0;        ///< ELF virtual address of the entry
    std::uint64_t file_offset = 0;  ///< bytes; where a uprobe goes
    std::uint64_t size_bytes = 0;   ///< 0 if not told
    bool indirect = false;          ///< STT_GNU_IFUNC: this is a resolver, not the function
};

/// The functions of a mapped file whose symbol is `name`: exactly, or demangled, or demangled
/// without parameters (and return type); blanks do not count. Looks in .symtab, .dynsym,
/// .gnu_debugdata and the separate debug file. One entry an address, in the order of the addresses;
/// none if there is no such function; several if the name is ambiguous (overloads, clones): the
/// caller says so. Errors: the file cannot be opened or is no valid ELF.
Result<std::vector<FunctionAddress>> find_function(pid_t pid, const MapsEntry& entry,
                                                   std::string_view name,
                                                   const SymbolizerOptions& options = {});

/// The same for a file in our own root.
Result<std::vector<FunctionAddress>> find_function(const std::string& path, std::string_view name,
                                                   const SymbolizerOptions& options = {});

/// The build-id of a file in our own root, in hex; empty if it has none. Error: no valid ELF.
Result<std::string> read_build_id(const std::string& path);

}  // namespace asrtrace::symbols
