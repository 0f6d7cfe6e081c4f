// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a debug file says about glibc's malloc: where its state stands, and how it is laid out. With
// it a glibc is read that is patched, or newer than the known layouts.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/heap/layout.h"

namespace asrtrace::heap {

struct DebugLayout {
    std::uint64_t main_arena = 0;  ///< addresses as in the file
    std::uint64_t parameters = 0;
    /// One, or two that differ in what DWARF does not tell: whether links are protected.
    std::vector<std::shared_ptr<const Layout>> layouts;
};

/// Reads the symbols main_arena and mp_, and the structures malloc_state, malloc_par, _heap_info
/// and tcache_perthread_struct of the unit that defines malloc. Error: what is missing, or what
/// stands elsewhere than every census expects it.
Result<DebugLayout> read_debug_layout(const std::string& debug_file);

/// The debug file of `module`, a path as the process sees it, by build-id below
/// /usr/lib/debug/.build-id of the process's root or of ours. The module's own if it carries DWARF.
std::optional<std::string> find_debug_file(pid_t pid, const std::string& module);

/// What to add to a file's addresses: from the first mapping of `module` and its program headers.
std::optional<std::uint64_t> load_bias(pid_t pid, const std::vector<MapsEntry>& maps,
                                       const std::string& module);

/// The three together, with addresses of the process; nothing where a step gives nothing.
std::optional<DebugLayout> debug_layout_of(pid_t pid, const std::vector<MapsEntry>& maps);

}  // namespace asrtrace::heap
