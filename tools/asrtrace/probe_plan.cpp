// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/probe_plan.h"

#include <utility>

#include "user/base/architecture.h"
#include "user/base/confined_thread.h"

namespace asrtrace {
namespace {

constexpr Confinement kPlanner{.name = "planner",
                               .capabilities = kReadingCapabilities,
                               .opens_files = true,
                               .reads_processes = true,
                               .makes_nameless_files = true};

/// Why probes behind the target's own calls cannot follow its mappings; empty if they may.
std::string why_mapping_calls(const RecorderOptions& options, capture::ProbeMethod method) {
    if (options.mappings_by_calls) return "as asked";
    if (options.follow) return "followed children may map memory through other files";
    if (!kCallsKeepArguments) return "here a call's result overwrites its first argument";
    if (method == capture::ProbeMethod::kPerf) return "perf uprobes take seconds to go";
    return {};
}

capture::CallSites plan_mapping_calls(const RecorderOptions& options, capture::ProbeMethod method) {
    capture::CallSites calls{.sites = {}, .doubt = why_mapping_calls(options, method)};
    if (!calls.doubt.empty()) return calls;
    auto found = capture::find_mapping_calls(options.pid);
    if (found) return std::move(*found);
    calls.doubt = found.error().message;
    return calls;
}

std::vector<capture::CallSite> plan_socket_calls(const RecorderOptions& options,
                                                 capture::ProbeMethod method) {
    if (!kCallsKeepArguments || options.http_by_sockets || options.follow ||
        method == capture::ProbeMethod::kPerf)
        return {};
    auto found = capture::find_socket_calls(options.pid);
    return found ? std::move(found->sites) : std::vector<capture::CallSite>{};
}

Result<ProbePlan> read_target(const RecorderOptions& options, capture::ProbeMethod method) {
    auto allocator = capture::discover_allocator(options.pid);
    if (!allocator) return allocator.error();
    auto requests = capture::plan_requests(options.pid, options.request_spec, options.will_serve);
    if (!requests) return requests.error();
    ProbePlan plan{.allocator = std::move(*allocator),
                   .requests = std::move(*requests),
                   .mapping_calls = plan_mapping_calls(options, method),
                   .socket_calls = {},
                   .problem = {}};
    if (plan.requests.source == ledger::RequestSource::kHttp)
        plan.socket_calls = plan_socket_calls(options, method);
    return plan;
}

}  // namespace

std::vector<std::string> replaced_libraries(const capture::AllocatorProbes& probes) {
    std::vector<std::string> notes;
    for (const capture::AllocatorLibrary& library : probes.libraries)
        if (library.file->has_lost_its_name())
            notes.push_back(
                library.path +
                " was replaced or removed meanwhile: allocations of followed programs that started "
                "after that are not seen; attach anew to see them");
    return notes;
}

Result<ProbePlan> plan_probes(const RecorderOptions& options, capture::ProbeMethod method) {
    std::string problem;
    auto plan = call_confined(
        kPlanner, [&] { return read_target(options, method); }, &problem);
    if (plan) plan->problem = problem;
    return plan;
}

}  // namespace asrtrace
