// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/allocator_probes.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "user/base/work_budget.h"
#include "user/capture/allocator_family.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

/// CPU time for all modules of a target: a thousand libraries take one second.
constexpr double kMaxSeconds = 20;

/// The loader has a small malloc of its own for the time before libc's is there (exported up to
/// glibc 2.31): nobody else calls it. musl's loader is its libc.
bool is_glibc_loader(const ElfModule& module) {
    return module.soname().starts_with("ld-linux") || module.soname().starts_with("ld64.so") ||
           module.soname() == "ld.so.1";
}

std::array<std::string_view, kAllocatorFunctions> function_names() {
    std::array<std::string_view, kAllocatorFunctions> names;
    for (std::size_t i = 0; i < names.size(); ++i)
        names[i] = function_name(static_cast<AllocatorFunction>(i));
    return names;
}

/// One probe a function; functions at the same address are one, the first of the enum.
void add_probes(const ElfModule& module, bool all_symbols, const AllocatorOptions& options,
                AllocatorProbes& out) {
    const auto names = function_names();
    const auto symbols = all_symbols ? module.find_symbols(names) : module.find_exported(names);
    std::vector<std::uint64_t> taken;
    for (std::size_t i = 0; i < names.size(); ++i) {
        for (const ElfSymbol& symbol : symbols) {
            if (!symbol.function || symbol.name != names[i]) continue;
            if (std::find(taken.begin(), taken.end(), symbol.file_offset) != taken.end()) continue;
            if (taken.size() >= 4 * kAllocatorFunctions) return;  // a hostile table
            taken.push_back(symbol.file_offset);
            AllocatorProbe probe;
            probe.function = static_cast<AllocatorFunction>(i);
            probe.library = out.libraries.size() - 1;
            Need need = need_of(probe.function);
            need.long_nops = options.long_nops;
            probe.wants_return = need.return_probe;
            probe.symbol_file_offset = symbol.file_offset;
            probe.placement = place_entry(module, symbol, need);
            out.probes.push_back(std::move(probe));
        }
    }
}

void add_libc(const ElfModule& module, const ModuleTraits& traits, const std::string& path,
              const std::shared_ptr<const ModuleFile>& file, const AllocatorOptions& options,
              AllocatorProbes& out) {
    AllocatorLibrary library;
    library.kind = libc_kind(module, traits);
    library.path = path;
    library.file = file;
    library.version =
        library.kind == AllocatorKind::kMusl ? musl_version(module) : module.glibc_version();
    library.build_id = module.build_id();
    library.static_executable = module.is_static();
    out.libraries.push_back(std::move(library));
    add_probes(module, module.is_static(), options, out);
}

void add_bypass(AllocatorKind kind, const ModuleTraits& traits, const std::string& path,
                AllocatorProbes& out) {
    Bypass bypass;
    bypass.kind = kind;
    bypass.allocator =
        kind == AllocatorKind::kOther ? traits.file_name : std::string(kind_name(kind));
    bypass.module = path;
    bypass.replaces_malloc = traits.defines_malloc;
    if (!bypass.replaces_malloc) {
        bypass.explanation = "part of the program allocates from its own " + bypass.allocator +
                             ": those blocks are not seen one by one; their pages are, by "
                             "mapping and page fault";
    } else if (kind == AllocatorKind::kOther) {
        bypass.explanation = bypass.allocator +
                             " defines malloc in front of libc's: blocks that it does not pass on "
                             "to libc are not seen one by one; their pages are, by mapping and "
                             "page fault";
    } else {
        bypass.explanation = bypass.allocator +
                             " replaces malloc: neither blocks nor arenas are seen, only pages, by "
                             "mapping and page fault; run the program without " +
                             bypass.allocator + " to attribute its blocks";
    }
    out.bypasses.push_back(std::move(bypass));
}

void add_static_bypass(const std::string& path, AllocatorProbes& out) {
    out.bypasses.push_back(
        {AllocatorKind::kOther, "static libc", path, true,
         "a static executable without a symbol table: its malloc cannot be found, so blocks are "
         "not seen one by one; their pages are, by mapping and page fault; an executable that is "
         "not stripped, or linked dynamically, can be traced in full"});
}

/// If not, a data file or JIT code that is mapped executable.
bool begins_as_elf(const std::string& path) {
    const auto source = ByteSource::open(path);
    const auto begin = source ? source->read(0, SELFMAG) : std::nullopt;
    return begin && std::memcmp(begin->data(), ELFMAG, SELFMAG) == 0;
}

void name_allocator(AllocatorProbes& out) {
    out.allocator = out.libraries.empty() ? "none" : std::string(kind_name(out.libraries[0].kind));
    // Known replacements first: a wrapper in front of libc may only pass calls on.
    for (const bool known : {false, true})
        for (const Bypass& bypass : out.bypasses)
            if (bypass.replaces_malloc && (bypass.kind != AllocatorKind::kOther) == known)
                out.allocator = bypass.allocator;
}

}  // namespace

void add_module(const ElfModule& module, const std::string& path,
                const std::shared_ptr<const ModuleFile>& file, bool main,
                const AllocatorOptions& options, AllocatorProbes& out) {
    if (is_glibc_loader(module)) return;
    const bool is_static = main && module.is_static();
    ModuleTraits traits = read_traits(module, path, main);
    // What a dynamic executable does not export, only itself calls.
    if (!is_static) traits.defines_malloc = traits.exports_malloc;
    const auto foreign = foreign_allocator(traits);
    if (foreign) {
        add_bypass(*foreign, traits, path, out);
    } else if (traits.is_libc || (is_static && traits.defines_malloc)) {
        add_libc(module, traits, path, file, options, out);
    } else if (is_static) {
        add_static_bypass(path, out);
    }
    name_allocator(out);
}

Result<AllocatorProbes> discover_allocator(pid_t pid, const AllocatorOptions& options) {
    auto modules = find_target_modules(pid);
    if (!modules) return modules.error();
    AllocatorProbes probes;
    probes.modules_skipped = modules->skipped;
    WorkBudget budget(kMaxSeconds);
    for (const TargetModule& target : modules->modules) {
        const auto file = budget.spent() ? Error{"no time left"} : target.open();
        if (!file) {
            ++probes.modules_skipped;
            continue;
        }
        budget.resume();
        const auto module = ElfModule::open((*file)->path());
        if (module) add_module(*module, target.path, *file, target.main, options, probes);
        budget.pause();
        const bool whole = module ? !module->source().failed() : !begins_as_elf((*file)->path());
        if (whole) continue;
        if (!probes.libraries.empty() && probes.libraries.back().file == *file)
            return Error{target.path + ": cannot be read whole, so functions may be missing"};
        ++probes.modules_skipped;
    }
    name_allocator(probes);
    return probes;
}

}  // namespace asrtrace::capture
