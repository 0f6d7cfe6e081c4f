// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The walker's tables for the target and its children: built from their mappings, written into the
// BPF maps.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "user/base/maps.h"
#include "user/base/result.h"

namespace asrtrace::capture {

struct UnwindingUpdate {
    std::uint32_t generation = 0;  ///< what stacks taken from now on carry
    bool changed = false;          ///< code was mapped or unmapped since the last update
    std::uint32_t modules = 0, tables_built = 0, tables_cached = 0;
    std::vector<std::string> problems;  ///< "path: reason"; such modules go by frame pointers
};

class Unwinding {
  public:
    /// `banks_fd`, `processes_fd`: the maps unwind_banks and unwind_processes. They stay open as
    /// long as this lives; the caller keeps them.
    Unwinding(int banks_fd, int processes_fd);
    ~Unwinding();
    Unwinding(Unwinding&&) noexcept;
    Unwinding& operator=(Unwinding&&) noexcept;

    /// Takes in a process's mappings as they are now. Error: no room in the maps.
    Result<UnwindingUpdate> update(pid_t pid, const std::vector<MapsEntry>& maps);
    /// The process has ended.
    void forget(pid_t pid);

    std::uint64_t table_bytes() const;
    /// Why the thread that writes the cache is not confined; empty if it is.
    const std::string& problem() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace asrtrace::capture
