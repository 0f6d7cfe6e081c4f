// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <iterator>
#include <span>
#include <thread>
#include <utility>

#include "user/base/architecture.h"
#include "user/base/beside.h"
#include "user/capture/programs_state.h"

namespace asrtrace::capture {
namespace {

/// The inode of the initial pid namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h).
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

/// libbpf's complaints, kept for the error message.
std::string* log_sink = nullptr;

int collect_log(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG || log_sink == nullptr) return 0;
    char* line = nullptr;
    const int length = ::vasprintf(&line, format, arguments);
    if (length >= 0) log_sink->append(line);
    std::free(line);
    return length;
}

/// The end of the log, where the verifier says why, on one line.
std::string last_words(const std::string& log) {
    constexpr std::size_t kLimit = 700;
    std::string words = log.size() <= kLimit ? log : "... " + log.substr(log.size() - kLimit);
    std::replace(words.begin(), words.end(), '\n', ' ');
    return words;
}

bool watches_calls(const ProgramsConfig& config, const Features& features) {
    return config.http_by_calls || !features.socket_tracepoints;
}

wire::config make_config(const ProgramsConfig& config, const Features& features) {
    wire::config knobs{};
    struct stat pidns {};
    if (::stat("/proc/self/ns/pid", &pidns) == 0 && pidns.st_ino != kInitialPidNamespace) {
        knobs.pidns_dev = pidns.st_dev;
        knobs.pidns_ino = pidns.st_ino;
    }
    knobs.tgid = static_cast<std::uint32_t>(config.pid);
    knobs.sample_all = config.tier == Tier::kFull;
    knobs.sample_mean_bytes = config.sample_mean_bytes;
    knobs.fault_mean_bytes = config.fault_mean_bytes;
    knobs.wakeup_bytes = 1 << 20;
    knobs.exact_rss_stat = features.exact_rss_stat;
    knobs.follow = config.follow;
    knobs.http_port = config.http_port;
    knobs.http_by_calls = watches_calls(config, features);
    return knobs;
}

void set_attach_type(bpf_program* program, std::uint32_t type) {
    bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(type));
}

/// Loads only what will be attached: a program or map that a kernel lacks would fail the rest.
void choose_programs(planes* skeleton, const ProgramsConfig& config, const Features& features,
                     ProbeMethod method) {
    auto& programs = skeleton->progs;
    const bool session = method == ProbeMethod::kSession;
    const bool allocator = config.tier != Tier::kWatch;
    bpf_program__set_autoload(programs.alloc_session, allocator && session);
    bpf_program__set_autoload(programs.alloc_enter, allocator && !session);
    bpf_program__set_autoload(programs.alloc_leave, allocator && !session);
    bpf_program__set_autoload(programs.free_enter, allocator);
    bpf_program__set_autoload(programs.calibrate_session, session);
    bpf_program__set_autoload(programs.calibrate_return, !session);
    bpf_program__set_autoload(
        programs.fault_user,
        features.fault_tracepoints && (!features.exact_rss_stat || config.fault_addresses));
    bpf_program__set_autoload(programs.fault_kernel, features.fault_tracepoints);
    bpf_program__set_autoload(programs.fault_any, !features.fault_tracepoints);
    bpf_program__set_autoload(programs.rss_stat, features.exact_rss_stat);
    bpf_program__set_autoload(programs.page_alloc, features.exact_rss_stat);
    const bool calls = watches_calls(config, features);
    for (bpf_program* program : {programs.http_exit, programs.http_enter_io_uring,
                                 programs.http_enter_close, programs.http_enter_shutdown})
        bpf_program__set_autoload(program, config.http && calls);
    for (bpf_program* program : {programs.http_received, programs.http_sent, programs.http_state,
                                 programs.http_destroy, programs.http_enter_ends})
        bpf_program__set_autoload(program, config.http && !calls);
    bpf_program__set_autoload(
        programs.http_call, kCallsKeepArguments && config.http && !calls && config.http_by_probes);
    bpf_map__set_autocreate(skeleton->maps.http_conns, config.http);
    bpf_map__set_autocreate(skeleton->maps.http_works, config.http);
    bpf_map__set_autocreate(skeleton->maps.http_owed, config.http);
    bpf_program__set_autoload(programs.mapping_call,
                              kCallsKeepArguments && method != ProbeMethod::kPerf);
    if (method == ProbeMethod::kPerf) return;
    set_attach_type(programs.alloc_session, kAttachUprobeSession);
    set_attach_type(programs.calibrate_session, kAttachUprobeSession);
    for (bpf_program* program : {programs.alloc_enter, programs.alloc_leave, programs.free_enter,
                                 programs.request_mark, programs.mapping_call, programs.http_call,
                                 programs.calibrate_entry, programs.calibrate_return}) {
        set_attach_type(program, kAttachUprobeMulti);
    }
}

wire::usdt_arg wire_argument(const UsdtArg& argument) {
    const auto offset = [](PtReg reg) {
        return static_cast<__s16>(reg == PtReg::kNone ? -1 : static_cast<int>(reg) * 8);
    };
    wire::usdt_arg out{};
    out.offset = argument.value;
    out.size = argument.size;
    out.scale = argument.scale;
    out.shift = argument.shift;
    out.reg = offset(argument.reg);
    out.index = offset(argument.index);
    switch (argument.kind) {
        case UsdtArgKind::kConstant:
            out.kind = wire::USDT_CONST;
            break;
        case UsdtArgKind::kRegister:
            out.kind = wire::USDT_REG;
            break;
        case UsdtArgKind::kMemory:
            out.kind = wire::USDT_DEREF;
            break;
        case UsdtArgKind::kUnsupported:
            out.kind = wire::USDT_NONE;
            break;
    }
    return out;
}

}  // namespace

ProbeMethod choose_method(std::optional<ProbeMethod> asked, const Features& features) {
    if (asked) return *asked;
    if (features.uprobe_session) return ProbeMethod::kSession;
    return features.uprobe_multi ? ProbeMethod::kMulti : ProbeMethod::kPerf;
}

std::uint32_t wire_function(AllocatorFunction function) {
    switch (function) {
        case AllocatorFunction::kMalloc:
            return wire::FN_MALLOC;
        case AllocatorFunction::kCalloc:
            return wire::FN_CALLOC;
        case AllocatorFunction::kRealloc:
            return wire::FN_REALLOC;
        case AllocatorFunction::kMemalign:
            return wire::FN_MEMALIGN;
        case AllocatorFunction::kAlignedAlloc:
            return wire::FN_ALIGNED_ALLOC;
        case AllocatorFunction::kPosixMemalign:
            return wire::FN_POSIX_MEMALIGN;
        case AllocatorFunction::kValloc:
            return wire::FN_VALLOC;
        case AllocatorFunction::kPvalloc:
            return wire::FN_PVALLOC;
        case AllocatorFunction::kFree:
            return wire::FN_FREE;
    }
    return wire::FN_NONE;
}

std::string tier_name(Tier tier) {
    return tier == Tier::kWatch ? "watch" : tier == Tier::kSites ? "sites" : "full";
}

Programs::Programs(std::unique_ptr<State> state, ProbeMethod method)
    : state_(std::move(state)), method_(method) {}
Programs::Programs(Programs&&) noexcept = default;
Programs& Programs::operator=(Programs&&) noexcept = default;
Programs::~Programs() = default;

Result<Programs> Programs::load(const ProgramsConfig& config, const Features& features) {
    std::string log;
    log_sink = &log;
    libbpf_set_print(collect_log);
    auto state = std::make_unique<State>();
    state->pid = config.pid;
    state->follow = config.follow;
    state->at_symbols = config.at_symbols;
    state->skeleton = planes::open(nullptr);
    const ProbeMethod method = choose_method(config.method, features);
    int error = state->skeleton == nullptr ? errno : 0;
    if (error == 0) {
        const wire::config knobs = make_config(config, features);
        std::memcpy(&state->skeleton->rodata->cfg, &knobs, sizeof(knobs));
        choose_programs(state->skeleton, config, features, method);
        bpf_map__set_max_entries(state->skeleton->maps.counters,
                                 static_cast<__u32>(libbpf_num_possible_cpus()));
        error = -planes::load(state->skeleton);
    }
    log_sink = nullptr;
    if (error != 0) {
        return errno_error("loading the BPF programs: " + last_words(log), error);
    }
    if (auto status = state->map_counters(); !status) return status.error();
    state->ring = ring_buffer__new(bpf_map__fd(state->skeleton->maps.events), State::on_record,
                                   state.get(), nullptr);
    if (state->ring == nullptr) return errno_error("opening the ring buffer");
    return Programs(std::move(state), method);
}

void Programs::attach_kernel_plane(std::vector<std::string>& failed) {
    auto& programs = state_->skeleton->progs;
    auto& links = state_->skeleton->links;
    const auto attach = [&](bpf_program* program, bpf_link** link) {
        if (!bpf_program__autoload(program)) return;
        *link = bpf_program__attach(program);
        if (*link == nullptr) {
            failed.push_back(std::string(bpf_program__section_name(program)) + ": " +
                             std::strerror(errno));
        }
    };
    attach(programs.on_exit, &links.on_exit);
    attach(programs.on_fork, &links.on_fork);
    attach(programs.on_exec, &links.on_exec);
    attach(programs.on_oom, &links.on_oom);
    attach(programs.rss_stat, &links.rss_stat);
    attach(programs.fault_user, &links.fault_user);
    attach(programs.fault_kernel, &links.fault_kernel);
    if (bpf_program__autoload(programs.fault_any)) state_->link_fault_events(failed);
}

void Programs::set_break(std::uint64_t program_break) {
    __u64 unknown = 0;
    __atomic_compare_exchange_n(&state_->skeleton->bss->last_break, &unknown, program_break, false,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

Status Programs::attach_allocator(const AllocatorProbes& probes) {
    std::vector<UprobeSite> calls;
    std::vector<UprobeSite> frees;
    for (const AllocatorProbe& probe : probes.probes) {
        UprobeSite site{.file = probes.libraries[probe.library].file,
                        .file_offset = state_->at_symbols ? probe.symbol_file_offset
                                                          : probe.placement.file_offset,
                        .cookie = wire_function(probe.function),
                        .ref_ctr_offset = 0,
                        .what = std::string(function_name(probe.function))};
        (probe.wants_return ? calls : frees).push_back(std::move(site));
    }
    if (state_->allocator_removal.joinable()) state_->allocator_removal.join();
    state_->skeleton->bss->zero_reallocs = 0;
    const auto& programs = state_->skeleton->progs;
    const bool session = method_ == ProbeMethod::kSession;
    const int entry = bpf_program__fd(session ? programs.alloc_session : programs.alloc_enter);
    const int leave = session ? entry : bpf_program__fd(programs.alloc_leave);
    const pid_t pid = state_->probed_pid();
    auto links = link_sites(method_, {bpf_program__fd(programs.free_enter)}, std::move(frees), pid);
    if (!links) return links.error();
    auto links_of_calls = link_sites(method_, {entry, leave}, std::move(calls), pid);
    if (!links_of_calls) {
        unlink_sites(*links);
        return links_of_calls.error();
    }
    std::ranges::move(*links_of_calls, std::back_inserter(*links));
    state_->allocator_links = std::move(*links);
    __atomic_store_n(&state_->skeleton->bss->allocator_window, ++state_->allocator_windows,
                     __ATOMIC_SEQ_CST);
    return ok_status();
}

void Programs::detach_allocator() {
    __atomic_store_n(&state_->skeleton->bss->allocator_window, 0, __ATOMIC_SEQ_CST);
    state_->allocator_removal = do_beside(
        [links = std::exchange(state_->allocator_links, {})]() mutable { unlink_sites(links); });
}

Result<TrapCost> Programs::measure_traps() const {
    const int alone = bpf_program__fd(state_->skeleton->progs.calibrate_entry);
    return capture::measure_traps(method_, {alone}, state_->idle_call(method_));
}

Result<bool> Programs::returns_pass_filters() const {
    return capture::returns_pass_filters(method_, state_->idle_call(method_));
}

void Programs::attach_requests(const std::vector<RequestProbe>& probes,
                               std::vector<std::string>& failed) {
    std::vector<UprobeSite> sites;
    __u32 next_spec = 0;
    for (const RequestProbe& probe : probes) {
        UprobeSite site = probe.site;
        site.cookie = probe.done ? wire::REQUEST_COOKIE_DONE : 0;
        if (!probe.arguments.empty() && next_spec < wire::USDT_SPEC_MAX) {
            wire::usdt_spec spec{};
            const std::size_t count = std::min<std::size_t>(probe.arguments.size(), 3);
            for (std::size_t i = 0; i < count; ++i)
                spec.args[i] = wire_argument(probe.arguments[i]);
            bpf_map__update_elem(state_->skeleton->maps.usdt_specs, &next_spec, sizeof(next_spec),
                                 &spec, sizeof(spec), BPF_ANY);
            site.cookie |= std::uint64_t{++next_spec} << wire::REQUEST_COOKIE_SPEC_SHIFT;
        }
        sites.push_back(std::move(site));
    }
    auto linked = link_sites(method_, {bpf_program__fd(state_->skeleton->progs.request_mark)},
                             std::move(sites), state_->probed_pid());
    if (linked)
        std::ranges::move(*linked, std::back_inserter(state_->links));
    else
        failed.push_back(linked.error().message);
}

void Programs::raise_sampling(std::uint64_t low, std::uint64_t high) {
    __atomic_store_n(&state_->skeleton->bss->raised_low, low, __ATOMIC_SEQ_CST);
    __atomic_store_n(&state_->skeleton->bss->raised_high, high, __ATOMIC_SEQ_CST);
}

void Programs::thin_faults(std::uint32_t shift) {
    __atomic_store_n(&state_->skeleton->bss->fault_shift, shift, __ATOMIC_SEQ_CST);
}

void Programs::enable() {
    __atomic_store_n(&state_->skeleton->bss->enabled, 1, __ATOMIC_SEQ_CST);
}

void Programs::detach() {
    __atomic_store_n(&state_->skeleton->bss->enabled, 0, __ATOMIC_SEQ_CST);
    for (std::jthread* removal : {&state_->allocator_removal, &state_->http_removal})
        if (removal->joinable()) removal->join();
    std::vector<std::jthread> removals;
    for (auto* links : {&state_->links, &state_->allocator_links, &state_->http_sites})
        removals.push_back(do_beside([links] { unlink_sites(*links); }));
    for (auto* kept : {&state_->tracepoints, &state_->http_sockets})
        for (bpf_link* link : std::exchange(*kept, {}))
            removals.push_back(do_beside([link] { bpf_link__destroy(link); }));
    const bpf_object_skeleton* object = state_->skeleton->skeleton;
    for (int i = 0; i < object->prog_cnt; ++i) {
        bpf_link*& link = *object->progs[i].link;
        if (link == nullptr) continue;
        removals.push_back(
            do_beside([link = std::exchange(link, nullptr)] { bpf_link__destroy(link); }));
    }
}

void Programs::poll(int timeout_ms, const std::function<void(Bytes)>& record) {
    state_->sink = &record;
    state_->taken_bytes = 0;
    // The wake-up comes only when much is waiting, so what is there is taken after a time-out too.
    if (ring_buffer__poll(state_->ring, timeout_ms) <= 0 && !state_->taken_a_ringful())
        ring_buffer__consume(state_->ring);
    state_->sink = nullptr;
}

Counters Programs::counters() const {
    Counters sums{};
    for (const Counters& row : state_->counters) {
        for (std::size_t i = 0; i < sums.size(); ++i)
            sums[i] += __atomic_load_n(&row[i], __ATOMIC_RELAXED);
    }
    return sums;
}

std::optional<wire::stack_record> Programs::stack(std::uint64_t key) const {
    wire::stack_record record;
    if (bpf_map__lookup_elem(state_->skeleton->maps.stacks, &key, sizeof(key), &record,
                             sizeof(record), 0) != 0) {
        return std::nullopt;
    }
    return record;
}

Unwinding Programs::unwinding() const {
    return {bpf_map__fd(state_->skeleton->maps.unwind_banks),
            bpf_map__fd(state_->skeleton->maps.unwind_processes)};
}

ProgramStatistics Programs::statistics() const {
    const auto& programs = state_->skeleton->progs;
    const auto is_of_uprobes = [&](const bpf_program* program) {
        return program == programs.alloc_session || program == programs.alloc_enter ||
               program == programs.alloc_leave || program == programs.free_enter ||
               program == programs.request_mark || program == programs.mapping_call ||
               program == programs.http_call;
    };
    // What interrupts one of these on its own CPU is an interrupt's page or our own read of a stack
    // that may not fault: nothing of the target's, so a run that the kernel skips there is no loss.
    const auto is_only_interrupted = [&](const bpf_program* program) {
        return program == programs.page_alloc || program == programs.fault_kernel;
    };
    ProgramStatistics sums;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, state_->skeleton->obj) {
        const int fd = bpf_program__fd(program);
        bpf_prog_info info{};
        __u32 length = sizeof(info);
        if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length) != 0) continue;
        const double seconds = static_cast<double>(info.run_time_ns) * 1e-9;
        if (is_of_uprobes(program)) {
            sums.probe_runs += info.run_cnt;
            sums.probe_seconds += seconds;
            sums.probes_missed += info.recursion_misses;
        } else {
            sums.tracepoint_seconds += seconds;
            if (!is_only_interrupted(program)) sums.tracepoints_missed += info.recursion_misses;
        }
        if (program == programs.fault_user || program == programs.fault_kernel ||
            program == programs.fault_any || program == programs.rss_stat)
            sums.fault_runs += info.run_cnt;
    }
    return sums;
}

}  // namespace asrtrace::capture
