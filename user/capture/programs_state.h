// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What Programs holds: the skeleton, and every link by what it is for. For programs*.cpp alone.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "user/capture/http_audit.h"
#include "user/capture/programs.h"

// The generated skeleton names the type of the knobs without a namespace.
using asrtrace::wire::config;  // NOLINT(misc-unused-using-decls): used by the skeleton
#include "planes.skel.h"

namespace asrtrace::capture {

struct Programs::State {
    planes* skeleton = nullptr;
    ring_buffer* ring = nullptr;
    std::span<const Counters> counters;                ///< a row for each CPU, shared
    const std::function<void(Bytes)>* sink = nullptr;  ///< during poll() only
    std::uint64_t taken_bytes = 0;                     ///< of the ring, by one poll()
    std::vector<UniqueFd> links;                       ///< of the request plane
    std::vector<UniqueFd> allocator_links;             ///< come and go with windows
    std::vector<bpf_link*> tracepoints;                ///< of mappings, HTTP and fault events
    bool orders_tried = false;                         ///< attach_advised_orders() has attached
    bool http_ends = false;                            ///< close and shutdown are watched
    std::vector<UniqueFd> http_sites;                  ///< probes behind socket calls
    std::vector<bpf_link*> http_sockets;               ///< tracepoints of receipts and sends
    HttpAudit http_audit;
    std::jthread http_removal;       ///< of what is not needed any more
    std::jthread allocator_removal;  ///< of the links of the window before
    __u32 allocator_windows = 0;
    /// What probes are restricted to. A child is born with its parent's breakpoints but not with a
    /// filter that knows it, and runs before anybody could attach to it: following means all
    /// processes that map the file, told apart by the programs.
    pid_t probed_pid() const { return follow ? -1 : pid; }

    pid_t pid = 0;
    bool follow = false;
    bool at_symbols = false;

    /// A negative result ends the round behind this record: ringbuf_process_ring(), libbpf.
    static int on_record(void* context, void* data, std::size_t size) {
        constexpr std::size_t kUnit = 8;  // a record's header, and what its length is rounded to
        auto* self = static_cast<State*>(context);
        (*self->sink)({static_cast<const std::uint8_t*>(data), size});
        self->taken_bytes += kUnit + (size + kUnit - 1) / kUnit * kUnit;
        return self->taken_a_ringful() ? -ECANCELED : 0;
    }
    bool taken_a_ringful() const {
        return taken_bytes >= bpf_map__max_entries(skeleton->maps.events);
    }
    Status map_counters() {
        const bpf_map* map = skeleton->maps.counters;
        const std::size_t rows = bpf_map__max_entries(map);
        void* memory =
            ::mmap(nullptr, rows * sizeof(Counters), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
        if (memory == MAP_FAILED) return errno_error("mapping the counters");
        counters = {static_cast<const Counters*>(memory), rows};
        return ok_status();
    }
    /// Programs that do nothing, for a probe with a return.
    CallPrograms idle_call(ProbeMethod method) const {
        const auto& programs = skeleton->progs;
        if (method != ProbeMethod::kSession)
            return {bpf_program__fd(programs.calibrate_entry),
                    bpf_program__fd(programs.calibrate_return)};
        const int session = bpf_program__fd(programs.calibrate_session);
        return {session, session};
    }
    /// The program behind all these calls, or behind none.
    Status link_calls(ProbeMethod method, const bpf_program* program,
                      const std::vector<CallSite>& sites, std::vector<UniqueFd>& kept) const;
    /// Page faults by perf's event of them.
    void link_fault_events(std::vector<std::string>& failed);
    ~State() {
        links.clear();
        allocator_links.clear();
        http_sites.clear();
        for (auto* kept : {&tracepoints, &http_sockets})
            for (bpf_link* link : *kept) bpf_link__destroy(link);
        ring_buffer__free(ring);
        if (!counters.empty())
            ::munmap(const_cast<Counters*>(counters.data()), counters.size_bytes());
        planes::destroy(skeleton);
    }
};

}  // namespace asrtrace::capture
