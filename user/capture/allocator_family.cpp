// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/allocator_family.h"

#include <algorithm>
#include <array>

namespace asrtrace::capture {
namespace {

struct Mark {
    AllocatorKind kind;
    std::string_view symbol;
};

/// jemalloc: prefixed or not; gperftools: C and C++ interface; mimalloc; the sanitizers' runtimes.
constexpr std::array<Mark, 13> kMarks{{
    {AllocatorKind::kJemalloc, "mallctl"},
    {AllocatorKind::kJemalloc, "je_malloc"},
    {AllocatorKind::kJemalloc, "je_mallctl"},
    {AllocatorKind::kJemalloc, "_rjem_malloc"},
    {AllocatorKind::kTcmalloc, "tc_malloc"},
    {AllocatorKind::kTcmalloc, "tc_version"},
    {AllocatorKind::kTcmalloc, "MallocExtension_Internal_GetNumericProperty"},
    {AllocatorKind::kMimalloc, "mi_malloc"},
    {AllocatorKind::kMimalloc, "mi_version"},
    {AllocatorKind::kSanitizer, "__asan_init"},
    {AllocatorKind::kSanitizer, "__msan_init"},
    {AllocatorKind::kSanitizer, "__tsan_init"},
    {AllocatorKind::kSanitizer, "__lsan_init"},
}};
constexpr std::array<std::string_view, 6> kOwnMarks{
    "malloc", "free", "__libc_start_main", "gnu_get_libc_version", "__libc_malloc", "__libc_musl"};

std::vector<std::string_view> trait_names() {
    std::vector<std::string_view> names(kOwnMarks.begin(), kOwnMarks.end());
    for (const Mark& mark : kMarks) names.push_back(mark.symbol);
    return names;
}

std::string file_name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string_view function_name(AllocatorFunction function) {
    static constexpr std::array<std::string_view, kAllocatorFunctions> kNames{
        "malloc",         "calloc", "realloc", "memalign", "aligned_alloc",
        "posix_memalign", "valloc", "pvalloc", "free"};
    return kNames[static_cast<std::size_t>(function)];
}

Need need_of(AllocatorFunction function) {
    Need need;
    need.return_probe = function != AllocatorFunction::kFree;
    need.ignore_null = function == AllocatorFunction::kFree;
    switch (function) {
        case AllocatorFunction::kCalloc:
        case AllocatorFunction::kRealloc:
        case AllocatorFunction::kMemalign:
        case AllocatorFunction::kAlignedAlloc:
            need.arguments = 2;
            break;
        case AllocatorFunction::kPosixMemalign:
            need.arguments = 3;
            break;
        default:
            need.arguments = 1;
    }
    return need;
}

std::string_view kind_name(AllocatorKind kind) {
    switch (kind) {
        case AllocatorKind::kGlibc:
            return "glibc";
        case AllocatorKind::kMusl:
            return "musl";
        case AllocatorKind::kJemalloc:
            return "jemalloc";
        case AllocatorKind::kTcmalloc:
            return "tcmalloc";
        case AllocatorKind::kMimalloc:
            return "mimalloc";
        case AllocatorKind::kSanitizer:
            return "sanitizer";
        case AllocatorKind::kOther:
            break;
    }
    return "other";
}

ModuleTraits read_traits(const ElfModule& module, const std::string& path, bool all_symbols) {
    ModuleTraits traits;
    traits.file_name = module.soname().empty() ? file_name_of(path) : module.soname();
    const auto names = trait_names();
    bool malloc_function = false;
    bool free_function = false;
    for (const ElfSymbol& symbol :
         all_symbols ? module.find_symbols(names) : module.find_exported(names)) {
        traits.symbols.insert(symbol.name);
        malloc_function |= symbol.function && symbol.name == "malloc";
        free_function |= symbol.function && symbol.name == "free";
    }
    traits.defines_malloc = malloc_function && free_function;
    traits.is_libc = traits.defines_malloc && traits.symbols.contains("__libc_start_main");
    static constexpr std::array<std::string_view, 1> kMalloc{"malloc"};
    traits.exports_malloc = traits.defines_malloc && !module.find_exported(kMalloc).empty();
    return traits;
}

std::optional<AllocatorKind> foreign_allocator(const ModuleTraits& traits) {
    const auto mark = std::find_if(kMarks.begin(), kMarks.end(), [&](const Mark& m) {
        return traits.symbols.contains(m.symbol);
    });
    if (mark != kMarks.end()) return mark->kind;
    if (!traits.defines_malloc || traits.is_libc) return std::nullopt;
    if (traits.file_name.find("jemalloc") != std::string::npos) return AllocatorKind::kJemalloc;
    if (traits.file_name.find("tcmalloc") != std::string::npos) return AllocatorKind::kTcmalloc;
    if (traits.file_name.find("mimalloc") != std::string::npos) return AllocatorKind::kMimalloc;
    return AllocatorKind::kOther;
}

AllocatorKind libc_kind(const ElfModule& module, const ModuleTraits& traits) {
    if (traits.symbols.contains("gnu_get_libc_version") || traits.symbols.contains("__libc_malloc"))
        return AllocatorKind::kGlibc;
    if (traits.file_name.find("musl") != std::string::npos || module.find_text("musl libc", 10))
        return AllocatorKind::kMusl;
    // A static musl program has no banner, but does not carry glibc's messages either.
    if (module.find_text("GNU C Library", 14) || module.find_text("malloc(): ", 12) ||
        module.find_text("glibc", 6))
        return AllocatorKind::kGlibc;
    return AllocatorKind::kOther;
}

std::string musl_version(const ElfModule& module) {
    // ldso/dynlink.c prints "musl libc (x86_64)\nVersion %s", the version being a string of its
    // own.
    const auto banner = module.find_text("musl libc", 80);
    const std::size_t at = banner ? banner->find("Version ") : std::string::npos;
    if (at == std::string::npos) return {};
    const std::string version =
        banner->substr(at + 8, banner->find_first_of(" \n", at + 8) - at - 8);
    return version.find('%') == std::string::npos ? version : std::string{};
}

}  // namespace asrtrace::capture
