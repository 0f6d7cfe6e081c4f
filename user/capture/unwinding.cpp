// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/unwinding.h"

#include <bpf/bpf.h>

#include <optional>

#include "user/capture/unwind_banks.h"
#include "user/unwind/cache.h"
#include "user/unwind/target_tables.h"

namespace asrtrace::capture {
namespace {

/// Without a cache directory the tables are built anew each time, nothing else.
std::optional<unwind::TableCache> open_cache() {
    auto cache = unwind::TableCache::open(unwind::TableCache::default_directory());
    if (!cache) return std::nullopt;
    return std::move(cache).value();
}

}  // namespace

struct Unwinding::State {
    State(int banks_fd, int processes)
        : processes_fd(processes),
          banks(banks_fd),
          cache(open_cache()),
          tables(banks, cache ? &*cache : nullptr) {
        if (cache) problem = cache->write_behind();
    }

    int processes_fd;
    BpfBanks banks;
    std::optional<unwind::TableCache> cache;
    unwind::TargetTables tables;
    std::string problem;
};

Unwinding::Unwinding(int banks_fd, int processes_fd)
    : state_(std::make_unique<State>(banks_fd, processes_fd)) {}
Unwinding::~Unwinding() = default;
Unwinding::Unwinding(Unwinding&&) noexcept = default;
Unwinding& Unwinding::operator=(Unwinding&&) noexcept = default;

Result<UnwindingUpdate> Unwinding::update(pid_t pid, const std::vector<MapsEntry>& maps) {
    const auto tables = state_->tables.update(pid, maps);
    if (!tables) return tables.error();
    UnwindingUpdate update{.generation = tables->record.generation,
                           .changed = tables->changed,
                           .modules = tables->modules,
                           .tables_built = tables->tables_built,
                           .tables_cached = tables->tables_cached,
                           .problems = {}};
    for (const unwind::ModuleProblem& problem : tables->problems) {
        update.problems.push_back(problem.path + ": " + problem.reason);
    }
    if (tables->changed) {
        const auto key = static_cast<std::uint32_t>(pid);
        if (bpf_map_update_elem(state_->processes_fd, &key, &tables->record, BPF_ANY) != 0) {
            return errno_error("unwind_processes");
        }
    }
    return update;
}

void Unwinding::forget(pid_t pid) {
    const auto key = static_cast<std::uint32_t>(pid);
    bpf_map_delete_elem(state_->processes_fd, &key);  // the kernel side has mostly done so
    state_->tables.forget(pid);
}

const std::string& Unwinding::problem() const {
    return state_->problem;
}

std::uint64_t Unwinding::table_bytes() const {
    return state_->tables.used_bytes();
}

}  // namespace asrtrace::capture
