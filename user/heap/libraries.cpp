// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/libraries.h"

#include <array>
#include <string_view>

namespace asrtrace::heap {
namespace {

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_glibc(std::string_view name) {
    return name == "libc.so.6" || (name.starts_with("libc-2.") && name.ends_with(".so"));
}

/// Alpine's names, and Debian's /usr/lib/x86_64-linux-musl/libc.so.
bool is_musl(std::string_view path) {
    const std::string_view name = base_name(path);
    return name.starts_with("ld-musl-") || name.starts_with("libc.musl-") ||
           (name == "libc.so" && path.find("musl") != std::string_view::npos);
}

bool is_other_allocator(std::string_view name) {
    constexpr std::array<std::string_view, 6> kNames{"libjemalloc", "libtcmalloc",  "libmimalloc",
                                                     "libsnmalloc", "libtbbmalloc", "libhoard"};
    for (std::string_view prefix : kNames) {
        if (name.starts_with(prefix)) return true;
    }
    return false;
}

}  // namespace

LibraryScan scan_libraries(const std::vector<MapsEntry>& maps) {
    LibraryScan scan;
    std::string executable;
    for (const MapsEntry& entry : maps) {
        if (!entry.is_file()) continue;
        const std::string_view name = base_name(entry.path);
        if (is_glibc(name) && scan.malloc_module.empty()) scan.malloc_module = entry.path;
        if (is_musl(entry.path)) scan.musl = entry.path;
        if (is_other_allocator(name)) scan.other_allocator = entry.path;
        if (executable.empty()) executable = entry.path;  // the lowest: a program's own image
    }
    if (scan.malloc_module.empty()) {
        scan.malloc_module = executable;
        scan.is_static = true;
    }
    return scan;
}

}  // namespace asrtrace::heap
