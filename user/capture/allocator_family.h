// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Whose malloc a module's is, told by the symbols that only that allocator has.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "user/capture/allocator_probes.h"

namespace asrtrace::capture {

/// What a module says about itself.
struct ModuleTraits {
    std::set<std::string, std::less<>> symbols;  ///< which of kTraitNames it defines
    std::string file_name;                       ///< of its path, or its SONAME
    bool defines_malloc = false;                 ///< malloc and free, as functions
    bool is_libc = false;                        ///< starts programs: __libc_start_main
    bool exports_malloc = false;                 ///< in .dynsym, so that others bind to it
};

/// Reads symbols; .symtab only where `all_symbols` (it costs a pass over the file's strings).
ModuleTraits read_traits(const ElfModule& module, const std::string& path, bool all_symbols);

/// An allocator that is no libc's, if the module has one.
std::optional<AllocatorKind> foreign_allocator(const ModuleTraits& traits);

/// musl or glibc; kOther for another libc.
AllocatorKind libc_kind(const ElfModule& module, const ModuleTraits& traits);

/// musl's version out of its banner; empty if there is none.
std::string musl_version(const ElfModule& module);

}  // namespace asrtrace::capture
