// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/mapping_watch.h"

#include <algorithm>

#include "user/base/quantity.h"
#include "user/capture/sampler.h"

namespace asrtrace {
namespace {

/// The end of the heap, by its page; where there is none, where it would begin.
std::uint64_t program_break(pid_t pid, const std::vector<MapsEntry>& maps) {
    const auto heap = std::ranges::find(maps, "[heap]", &MapsEntry::path);
    return heap != maps.end() ? heap->end : capture::first_break(pid);
}

}  // namespace

void MappingWatch::attach(capture::Programs& programs, std::vector<std::string>& failed) {
    if (probed()) {
        if (const Status done = programs.attach_mapping_sites(sites_); !done)
            why_calls_ = done.error().message;
    }
    if (!probed()) programs.attach_mapping_calls(failed);
    // Behind the attaching: a break that moves from now on is seen.
    if (const auto maps = read_maps(pid_); maps && probed())
        programs.set_break(program_break(pid_, *maps));
}

void MappingWatch::begin(const std::vector<MapsEntry>& maps) {
    // The stack grows by itself, and has a count of its own; vsyscall is no mapping.
    uncounted_bytes_ = 0;
    for (const MapsEntry& entry : maps)
        if (entry.path == "[stack]" || entry.path == "[vsyscall]")
            uncounted_bytes_ += entry.size_bytes();
}

void MappingWatch::check(const ledger::Ledger& ledger) {
    if (!probed()) return;
    const std::uint64_t mapped = capture::mapped_bytes(pid_);
    if (mapped == 0) return;  // it has gone
    balance_.add(static_cast<std::int64_t>(mapped + uncounted_bytes_ - ledger.mapped_bytes()));
}

std::string MappingWatch::note() const {
    if (probed()) return {};
    return "mappings by system call tracepoints: " + why_calls_ +
           "; every process on this machine pays some 50 to 100 ns for each system call meanwhile";
}

std::string MappingWatch::unseen_note() const {
    if (unseen_bytes() == 0) return {};
    return "at least " + bytes(unseen_bytes()) +
           " were mapped or unmapped by system calls that the target does not make through its "
           "libraries; --mappings-by-calls follows these, too";
}

}  // namespace asrtrace
