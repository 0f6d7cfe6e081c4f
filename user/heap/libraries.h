// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which of the target's modules provides malloc, as far as its mappings tell.
#pragma once

#include <string>
#include <vector>

#include "user/base/maps.h"

namespace asrtrace::heap {

struct LibraryScan {
    std::string malloc_module;    ///< glibc's path, or the executable of a static program
    bool is_static = false;       ///< no shared libc is mapped
    std::string musl;             ///< musl's path
    std::string other_allocator;  ///< path of jemalloc, tcmalloc, mimalloc and the like
};

LibraryScan scan_libraries(const std::vector<MapsEntry>& maps);

}  // namespace asrtrace::heap
