// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// System calls of the target: its mappings and its sockets, by probes behind the calls or by
// tracepoints.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "user/base/beside.h"
#include "user/capture/programs_state.h"

namespace asrtrace::capture {
namespace {

void keep(bpf_link* link, const std::string& what, std::vector<bpf_link*>& kept,
          std::vector<std::string>& failed) {
    if (link != nullptr)
        kept.push_back(link);
    else
        failed.push_back(what + ": " + std::strerror(errno));
}

/// What fails is appended to `failed`, by name and reason.
void attach_each(std::initializer_list<const bpf_program*> programs, std::vector<bpf_link*>& kept,
                 std::vector<std::string>& failed) {
    for (const bpf_program* program : programs)
        keep(bpf_program__attach(program), bpf_program__section_name(program), kept, failed);
}

}  // namespace

Status Programs::State::link_calls(ProbeMethod method, const bpf_program* program,
                                   const std::vector<CallSite>& sites,
                                   std::vector<UniqueFd>& kept) const {
    std::vector<UprobeSite> probes;
    probes.reserve(sites.size());
    for (const CallSite& site : sites)
        probes.push_back({.file = site.file,
                          .file_offset = site.file_offset,
                          .cookie = site.number | std::uint64_t{site.distance}
                                                      << wire::CALL_COOKIE_DISTANCE_SHIFT,
                          .ref_ctr_offset = 0,
                          .what = std::string(call_name(site.number))});
    auto linked = link_sites(method, {bpf_program__fd(program)}, std::move(probes), probed_pid());
    if (!linked) return linked.error();
    std::ranges::move(*linked, std::back_inserter(kept));
    return ok_status();
}
Status Programs::attach_mapping_sites(const std::vector<CallSite>& sites) {
    return state_->link_calls(method_, state_->skeleton->progs.mapping_call, sites, state_->links);
}

void Programs::attach_mapping_calls(std::vector<std::string>& failed) {
    const auto& programs = state_->skeleton->progs;
    // Exits first: an entry without its exit would wait for ever.
    attach_each(
        {programs.exit_mmap, programs.enter_mmap, programs.exit_munmap, programs.enter_munmap,
         programs.exit_mremap, programs.enter_mremap, programs.exit_brk, programs.enter_brk,
         programs.exit_madvise, programs.enter_madvise},
        state_->tracepoints, failed);
}

void Programs::attach_http(const std::vector<CallSite>& sites, std::vector<std::string>& failed) {
    const auto& programs = state_->skeleton->progs;
    if (bpf_program__autoload(programs.http_exit)) {
        for (const char* call : {"read", "readv", "recvfrom", "recvmsg", "write", "writev",
                                 "sendto", "sendmsg", "sendfile64"}) {
            const std::string name = std::string("sys_exit_") + call;
            keep(bpf_program__attach_tracepoint(programs.http_exit, "syscalls", name.c_str()), name,
                 state_->tracepoints, failed);
        }
        attach_each(
            {programs.http_enter_close, programs.http_enter_shutdown, programs.http_enter_io_uring},
            state_->tracepoints, failed);
        state_->http_ends = true;
        return;
    }
    attach_each({programs.http_state, programs.http_destroy}, state_->tracepoints, failed);
    // The probes first: what a tracepoint tells of they have to meet.
    if (!sites.empty() &&
        state_->link_calls(method_, programs.http_call, sites, state_->http_sites))
        state_->skeleton->bss->http_by_sites = 1;
    attach_each({programs.http_received, programs.http_sent}, state_->http_sockets, failed);
}

bool Programs::audit_http(std::uint64_t now_ns, std::vector<std::string>& failed) {
    if (state_->http_sites.empty() || state_->skeleton->bss->enabled == 0) return false;
    const auto& programs = state_->skeleton->progs;
    const Counters sums = counters();
    const auto step = state_->http_audit.advance(now_ns, sums[wire::COUNT_HTTP_MATCHED],
                                                 sums[wire::LOST_HTTP_BYPASSED]);
    if (step == HttpAudit::Step::kLook)
        attach_each({programs.http_received, programs.http_sent}, state_->http_sockets, failed);
    if (step == HttpAudit::Step::kLookAway) {
        state_->http_removal = do_beside([links = std::exchange(state_->http_sockets, {})] {
            for (bpf_link* link : links) bpf_link__destroy(link);
        });
    }
    if (step != HttpAudit::Step::kGiveUp) return false;
    __atomic_store_n(&state_->skeleton->bss->http_by_sites, 0, __ATOMIC_SEQ_CST);
    state_->http_removal = do_beside(
        [links = std::exchange(state_->http_sites, {})]() mutable { unlink_sites(links); });
    return true;
}

void Programs::attach_http_ends(std::vector<std::string>& failed) {
    const auto* const seen = state_->skeleton->bss;
    if (state_->http_ends || seen->enabled == 0 || seen->http_untold_ends == 0) return;
    state_->http_ends = true;
    const auto& programs = state_->skeleton->progs;
    attach_each({programs.http_enter_ends}, state_->tracepoints, failed);
}

}  // namespace asrtrace::capture
