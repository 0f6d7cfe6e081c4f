// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/recorder.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <ctime>

#include "tools/asrtrace/clock.h"
#include "tools/asrtrace/heap_schedule.h"
#include "tools/asrtrace/heap_thread.h"
#include "tools/asrtrace/sampler_thread.h"
#include "tools/asrtrace/symbol_thread.h"
#include "tools/asrtrace/totals.h"
#include "user/base/maps.h"
#include "user/capture/process.h"
#include "user/capture/request_source.h"
#include "user/capture/run_statistics.h"
#include "user/capture/sampler.h"
#include "user/decode/event.h"
#include "user/ledger/ledger.h"
#include "user/symbols/debuginfod.h"
#include "user/trace/writer.h"

namespace asrtrace {
namespace {

constexpr int kPollMilliseconds = 100;
constexpr std::uint64_t kCommitNs = 1'000'000'000;
/// How long the end of a run waits for its last reading of the heap.
constexpr std::uint64_t kLastReadingNs = 30'000'000'000;

double seconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) * 1e-9;
}

double own_cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

ledger::Target describe(const capture::Process& process,
                        const capture::AllocatorProbes& allocator) {
    ledger::Target target;
    target.pid = process.pid();
    target.exe = process.exe();
    target.cmdline = process.cmdline();
    target.allocator = allocator.allocator;
    if (!allocator.libraries.empty()) {
        const capture::AllocatorLibrary& libc = allocator.libraries.front();
        target.libc_path = libc.path;
        target.libc_version = libc.version;
        target.libc_build_id = libc.build_id;
    }
    utsname system{};
    if (::uname(&system) == 0) target.kernel = system.release;
    return target;
}

std::string join_capabilities(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

Status check_machine(const capture::Features& features) {
    const auto missing = capture::missing_capabilities();
    if (!missing.empty()) {
        return Error{"not permitted: missing " + join_capabilities(missing) +
                     "; run with sudo, or once: sudo setcap "
                     "cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep $(which asrtrace)"};
    }
    for (const capture::FeatureRow& row : capture::feature_rows(features)) {
        if (row.required && !row.works) {
            return Error{"this kernel cannot do it: " + row.name + " (" + row.why +
                         "): " + row.remedy};
        }
    }
    return ok_status();
}

}  // namespace

class Recorder::State {
  public:
    State(RecorderOptions options, capture::Process process, capture::Programs programs,
          capture::RequestPlan plan, const ledger::LedgerConfig& config, trace::Writer writer);

    void attach(const capture::AllocatorProbes& allocator);
    void follow(const std::atomic<bool>& stop, double progress_seconds,
                const std::function<void(const Progress&)>& show);
    Result<ledger::Recording> finish();

    RecorderOptions options_;
    std::vector<std::string> notes_;
    std::string trace_error_;
    std::string summary_;

  private:
    void on_record(Bytes bytes);
    void on_task(const decode::Event& event, const decode::Task& task);
    void follow_task(const decode::Event& event, const decode::Task& task);
    void add_child(decode::ProcessNumber parent, const decode::Task& task);
    void follow_exec(decode::ProcessNumber process);
    ledger::FollowedProcess* followed(decode::ProcessNumber process);
    bool all_ended() const;
    void drain(int timeout_ms);
    void pass_on();
    void add_stacks(const std::vector<SymbolizedStack>& stacks);
    void add_samples(const std::vector<ledger::ProcSample>& samples);
    void order_reading(std::uint64_t now_ns, bool reach);
    void take_readings();
    void take_last_reading();
    void add_reading(const HeapOutcome& outcome);
    void note_trace_error(const Status& status);
    void write_totals(std::uint64_t now_ns);
    bool ended(const std::atomic<bool>& stop, std::uint64_t now_ns);
    void update_progress(std::uint64_t now_ns);

    capture::Process process_;
    capture::Programs programs_;
    capture::RequestPlan plan_;
    ledger::Ledger ledger_;
    trace::Writer writer_;
    SymbolThread symbols_;
    SamplerThread sampler_;
    HeapThread heap_;
    HeapSchedule heap_schedule_;
    std::string heap_failure_;  ///< why the last reading failed; empty if it did not
    bool heap_was_read_ = false;
    capture::RunStatistics statistics_;

    std::uint64_t start_ns_;
    std::int64_t start_unix_seconds_ = std::time(nullptr);
    double target_cpu_begin_;
    double target_cpu_ = 0;
    double tracer_cpu_begin_ = own_cpu_seconds();
    ledger::Losses losses_;
    ledger::Overhead overhead_;
    std::string ended_by_;
    std::optional<std::int32_t> exit_status_;
    ledger::Target target_;
    std::map<decode::ProcessNumber, std::size_t> followed_;  ///< index into target_.followed
    std::uint32_t next_stack_ = 1;
    std::uint64_t records_ = 0, children_ = 0, peak_rss_anon_kb_ = 0;
    std::uint64_t first_rss_anon_kb_ = 0, rss_anon_kb_ = 0;
    Progress progress_;
    std::uint64_t progress_records_ = 0;
};

Recorder::State::State(RecorderOptions options, capture::Process process,
                       capture::Programs programs, capture::RequestPlan plan,
                       const ledger::LedgerConfig& config, trace::Writer writer)
    : options_(std::move(options)),
      process_(std::move(process)),
      programs_(std::move(programs)),
      plan_(std::move(plan)),
      ledger_(config),
      writer_(std::move(writer)),
      symbols_(options_.pid, programs_.unwinding(), options_.debuginfod),
      sampler_(options_.pid, config.start_ns),
      heap_(options_.pid, config.start_ns),
      heap_schedule_(config.start_ns),
      start_ns_(config.start_ns),
      target_cpu_begin_(process_.cpu_seconds()) {}

void Recorder::State::attach(const capture::AllocatorProbes& allocator) {
    writer_.set_tool_version(ASRTRACE_VERSION);
    target_ = describe(process_, allocator);
    writer_.set_target(target_);
    writer_.set_request_source(plan_.source, plan_.spec);
    const std::uint64_t begin_ns = monotonic_ns();
    programs_.attach_kernel_plane(losses_.attach_failed);
    programs_.attach_requests(plan_.probes, losses_.attach_failed);
    const bool follows_allocator = options_.tier != capture::Tier::kWatch;
    if (follows_allocator) programs_.attach_allocator(allocator, losses_.attach_failed);
    programs_.enable();
    const std::uint64_t maps_ns = monotonic_ns();
    if (const auto maps = read_maps(options_.pid)) ledger_.seed_mappings(*maps, maps_ns);
    overhead_.tier = capture::tier_name(options_.tier);
    overhead_.attach_seconds = seconds(monotonic_ns() - begin_ns);

    if (!plan_.note.empty()) notes_.push_back(plan_.note);
    for (const capture::Bypass& bypass : allocator.bypasses) notes_.push_back(bypass.explanation);
    for (const std::string& problem : symbols_.problems())
        notes_.push_back("unwinding: " + problem);
    for (const std::string& failure : losses_.attach_failed) {
        notes_.push_back("could not attach " + failure);
    }
    summary_ = overhead_.tier + " tier, ";
    if (follows_allocator) {
        summary_ += std::to_string(allocator.probes.size()) + " allocator probes (" +
                    capture::method_name(programs_.method()) + "), ";
    }
    summary_ += "requests by " + plan_.spec;
}

ledger::FollowedProcess* Recorder::State::followed(decode::ProcessNumber process) {
    const auto found = followed_.find(process);
    return found == followed_.end() ? nullptr : &target_.followed[found->second];
}

void Recorder::State::add_child(decode::ProcessNumber parent, const decode::Task& task) {
    const ledger::FollowedProcess* known = followed(parent);
    ledger::FollowedProcess child;
    child.pid = static_cast<std::int32_t>(task.pid);
    child.parent = known != nullptr ? known->pid : target_.pid;
    child.exe = known != nullptr ? known->exe : target_.exe;
    followed_[task.child] = target_.followed.size();
    target_.followed.push_back(std::move(child));
    symbols_.forked(task.child, static_cast<pid_t>(task.pid));
}

void Recorder::State::follow_exec(decode::ProcessNumber process) {
    symbols_.execed(process);
    ledger::FollowedProcess* child = followed(process);
    const auto now = capture::Process::open(child != nullptr ? child->pid : target_.pid);
    const std::string exe = now ? now->exe() : std::string{};
    if (child == nullptr) notes_.push_back("the target became " + exe + " by exec");
    (child != nullptr ? child->exe : target_.exe) = exe;
}

/// What is in the ring before the task's event belongs to the time before it.
void Recorder::State::follow_task(const decode::Event& event, const decode::Task& task) {
    pass_on();
    if (task.child != 0) add_child(event.process, task);
    if (task.kind == decode::Task::Kind::kExec) follow_exec(event.process);
    if (!task.process_ended) return;
    symbols_.ended(event.process);
    if (auto* child = followed(event.process)) child->exit_status = task.exit_code;
}

bool Recorder::State::all_ended() const {
    return !process_.alive() &&
           std::all_of(target_.followed.begin(), target_.followed.end(),
                       [](const auto& child) { return child.exit_status.has_value(); });
}

void Recorder::State::on_task(const decode::Event& event, const decode::Task& task) {
    if (options_.follow) follow_task(event, task);
    switch (task.kind) {
        case decode::Task::Kind::kFork:
            children_ += task.child == 0 ? 1 : 0;
            break;
        case decode::Task::Kind::kExec:
            if (!options_.follow) ended_by_ = "target replaced its program (exec)";
            break;
        case decode::Task::Kind::kOom:
            notes_.emplace_back("the OOM killer chose the target");
            break;
        case decode::Task::Kind::kExit:
            if (task.pid == static_cast<std::uint32_t>(options_.pid)) exit_status_ = task.exit_code;
            break;
    }
}

void Recorder::State::on_record(Bytes bytes) {
    ++records_;
    const auto event = decode::decode(bytes);
    if (!event) {
        ++losses_.undecodable;
        return;
    }
    if (const auto* task = std::get_if<decode::Task>(&event->payload)) on_task(*event, *task);
    ledger_.apply(*event);
}

void Recorder::State::drain(int timeout_ms) {
    programs_.poll(timeout_ms, [this](Bytes bytes) { on_record(bytes); });
}

void Recorder::State::add_stacks(const std::vector<SymbolizedStack>& stacks) {
    for (const SymbolizedStack& stack : stacks) {
        writer_.add_stack(stack.id, stack.flags, stack.frames);
    }
}

void Recorder::State::add_samples(const std::vector<ledger::ProcSample>& samples) {
    for (const ledger::ProcSample& sample : samples) {
        if (first_rss_anon_kb_ == 0) first_rss_anon_kb_ = sample.rss_anon_kb;
        rss_anon_kb_ = sample.rss_anon_kb;
        peak_rss_anon_kb_ = std::max(peak_rss_anon_kb_, sample.rss_anon_kb);
        writer_.add_sample(sample);
    }
}

/// Moves what has become final from the ledger and the other threads into the trace.
void Recorder::State::pass_on() {
    ledger::LedgerOutput output = ledger_.take_output();
    for (const auto process : output.code_mapped) symbols_.mappings_changed(process);
    for (const decode::StackKey key : output.stacks) {
        const StackId id{next_stack_++};
        if (const auto record = programs_.stack(key)) {
            symbols_.post({id, *record});
        } else {
            writer_.add_stack(id, ledger::kStackFailed, {});
        }
    }
    for (const ledger::Request& request : output.requests) writer_.add_request(request);
    for (ledger::EpochRecord& epoch : output.epochs) writer_.add_epoch(std::move(epoch));
    add_stacks(symbols_.take());
    add_samples(sampler_.take());
}

void Recorder::State::order_reading(std::uint64_t now_ns, bool reach) {
    HeapOrder order{.reach = reach || heap_schedule_.reach_due(now_ns),
                    .requests = ledger_.requests_completed(),
                    .in_flight = ledger_.in_flight(),
                    .serial = ledger_.serial()};
    if (order.reach)
        for (const auto& [address, size] : ledger_.outlived_blocks())
            order.asked.push_back({address, size});
    heap_.order(std::move(order));
}

void Recorder::State::add_reading(const HeapOutcome& outcome) {
    heap_was_read_ = true;
    std::vector<ledger::Arena> arenas = outcome.arenas;
    for (ledger::Arena& arena : arenas) arena.pin_stack = ledger_.stack_of(arena.pin_address);
    writer_.add_reading(*outcome.reading, std::move(arenas));
    if (!outcome.reach) return;
    ledger::ReachReading reach = *outcome.reach;
    const ledger::Unmatched unmatched = ledger_.lose(outcome.lost, outcome.order.serial);
    reach.unmatched_bytes = unmatched.bytes;
    reach.unmatched_chunks = unmatched.chunks;
    writer_.add_reach(reach);
}

void Recorder::State::take_readings() {
    for (const HeapOutcome& outcome : heap_.take()) {
        const std::uint64_t now_ns = monotonic_ns();
        losses_.census_rejected += outcome.rejected;
        heap_failure_ = outcome.failure;
        if (!outcome.reading) {
            heap_schedule_.reading_failed(now_ns);
            continue;
        }
        add_reading(outcome);
        heap_schedule_.reading_took(now_ns, outcome.reading_cpu_ns);
        if (outcome.reach) heap_schedule_.reach_took(now_ns, outcome.reach_cpu_ns);
    }
}

/// The heap as the window leaves it, while the ring is still being drained.
void Recorder::State::take_last_reading() {
    const std::uint64_t deadline_ns = monotonic_ns() + kLastReadingNs;
    bool ordered = false;
    while (process_.alive() && monotonic_ns() < deadline_ns) {
        drain(1);
        take_readings();
        if (!heap_.idle()) continue;
        if (ordered) return;
        ordered = true;
        order_reading(monotonic_ns(), true);
    }
}

void Recorder::State::note_trace_error(const Status& status) {
    if (!status && trace_error_.empty()) trace_error_ = status.error().message;
}

void Recorder::State::write_totals(std::uint64_t now_ns) {
    const capture::Counters counters = programs_.counters();
    const capture::ProgramStatistics statistics = programs_.statistics();
    ledger::Counts counts = counts_of(counters);
    ledger_.add_counts(counts);
    counts.peak_rss_anon_bytes = peak_rss_anon_kb_ * 1024;
    add_losses(counters, statistics, losses_);
    losses_.unknown_requests = ledger_.requests_unknown();
    losses_.missed_frees = ledger_.missed_frees();

    const double window = seconds(now_ns - start_ns_);
    overhead_.probe_hits = counters[wire::COUNT_PROBE_HITS];
    if (statistics_.enabled_seconds() > 0) {
        overhead_.program_seconds = statistics.seconds * window / statistics_.enabled_seconds();
    }
    if (const double cpu = process_.cpu_seconds(); cpu > 0) target_cpu_ = cpu - target_cpu_begin_;
    overhead_.target_cpu_seconds = target_cpu_;
    overhead_.tracer_cpu_seconds = own_cpu_seconds() - tracer_cpu_begin_;
    if (const auto self = capture::sample_process(::getpid(), false)) {
        overhead_.tracer_rss_bytes = self->vm_rss_kb * 1024;
    }
    writer_.set_counts(counts);
    writer_.set_losses(losses_);
    writer_.set_overhead(overhead_);
    writer_.set_attribution(ledger_.events_attributed(), ledger_.events_unattributed());
    writer_.set_requests_completed(ledger_.requests_completed());
    writer_.set_notes(notes_);
    writer_.set_window({.seconds = window,
                        .start_unix_seconds = start_unix_seconds_,
                        .ended_by = ended_by_.empty() ? "recorder died" : ended_by_,
                        .exit_status = exit_status_});
}

bool Recorder::State::ended(const std::atomic<bool>& stop, std::uint64_t now_ns) {
    if (!ended_by_.empty()) return true;
    if (stop) {
        ended_by_ = "interrupt";
    } else if (all_ended()) {
        ended_by_ = "target exited";
    } else if (options_.duration_seconds &&
               seconds(now_ns - start_ns_) >= *options_.duration_seconds) {
        ended_by_ = "duration";
    } else if (options_.requests && ledger_.requests_completed() >= *options_.requests) {
        ended_by_ = "requests";
    }
    return !ended_by_.empty();
}

void Recorder::State::update_progress(std::uint64_t now_ns) {
    const double now = seconds(now_ns - start_ns_);
    const double elapsed = now - progress_.seconds;
    progress_.events_per_second =
        elapsed > 0 ? static_cast<double>(records_ - progress_records_) / elapsed : 0;
    progress_records_ = records_;
    progress_.seconds = now;
    progress_.requests = ledger_.requests_completed();
    progress_.live_blocks = ledger_.live_blocks();
    progress_.first_rss_anon_kb = first_rss_anon_kb_;
    progress_.rss_anon_kb = rss_anon_kb_;
    progress_.lost_events = programs_.counters()[wire::LOST_RING];
}

void Recorder::State::follow(const std::atomic<bool>& stop, double progress_seconds,
                             const std::function<void(const Progress&)>& show) {
    const auto progress_ns = static_cast<std::uint64_t>(progress_seconds * 1e9);
    std::uint64_t commit_ns = start_ns_;
    std::uint64_t shown_ns = start_ns_;
    for (;;) {
        drain(kPollMilliseconds);
        const std::uint64_t now_ns = monotonic_ns();
        ledger_.tick(now_ns);
        statistics_.advance(now_ns);
        take_readings();
        pass_on();
        if (ended(stop, now_ns)) return;
        // Followed children may outlive the target.
        if (options_.read_heap && heap_.idle() && process_.alive() &&
            heap_schedule_.due(now_ns, ledger_.in_flight()))
            order_reading(now_ns, false);
        if (now_ns - commit_ns >= kCommitNs) {
            commit_ns = now_ns;
            write_totals(now_ns);
            note_trace_error(writer_.commit());
        }
        if (now_ns - shown_ns >= progress_ns) {
            shown_ns = now_ns;
            update_progress(now_ns);
            show(progress_);
        }
    }
}

Result<ledger::Recording> Recorder::State::finish() {
    if (options_.read_heap) take_last_reading();
    const std::uint64_t end_ns = monotonic_ns();
    statistics_.stop(end_ns);
    programs_.detach();
    overhead_.detach_seconds = seconds(monotonic_ns() - end_ns);
    drain(0);
    ledger_.finish(end_ns);
    pass_on();
    add_samples(sampler_.finish());
    add_stacks(symbols_.finish());
    if (children_ > 0) {
        notes_.push_back("the target started " + std::to_string(children_) +
                         " child processes; they were not followed");
    }
    if (!target_.followed.empty()) {
        notes_.emplace_back(
            "allocations, mappings, faults and requests are those of the target and its " +
            std::to_string(target_.followed.size()) +
            " followed children; memory samples, readings of the heap and CPU time are the "
            "target's "
            "alone");
    }
    if (options_.read_heap && !heap_was_read_)
        notes_.push_back("the heap could not be read: " +
                         (heap_failure_.empty() ? "the target ended too soon" : heap_failure_));
    writer_.set_target(target_);
    write_totals(end_ns);
    note_trace_error(writer_.finish());
    return writer_.read();
}

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recorder::Recorder(Recorder&&) noexcept = default;
Recorder::~Recorder() = default;

const std::vector<std::string>& Recorder::notes() const {
    return state_->notes_;
}

const std::string& Recorder::trace_error() const {
    return state_->trace_error_;
}

const std::string& Recorder::summary() const {
    return state_->summary_;
}

Result<Recorder> Recorder::start(const RecorderOptions& options) {
    auto process = capture::Process::open(options.pid);
    if (!process) return process.error();
    if (options.debuginfod) {
        if (const Status usable = symbols::check_debuginfod(); !usable) return usable.error();
    }
    const capture::Features features = capture::detect_features();
    if (const Status machine = check_machine(features); !machine) return machine.error();
    const auto allocator = capture::discover_allocator(options.pid);
    if (!allocator) return allocator.error();
    auto plan = capture::plan_requests(options.pid, options.request_spec);
    if (!plan) return plan.error();

    const capture::ProgramsConfig config{.pid = options.pid,
                                         .tier = options.tier,
                                         .sample_mean_bytes = options.sample_mean_bytes,
                                         .follow = options.follow,
                                         .method = options.method,
                                         .at_symbols = options.at_symbols};
    auto programs = capture::Programs::load(config, features);
    if (!programs) return programs.error();
    auto writer =
        options.output.empty() ? trace::Writer::in_memory() : trace::Writer::create(options.output);
    if (!writer) return writer.error();

    const ledger::LedgerConfig ledger_config{
        .start_ns = monotonic_ns(),
        .sample_mean_bytes = options.tier == capture::Tier::kSites ? options.sample_mean_bytes : 0,
        .fault_mean_bytes = config.fault_mean_bytes,
        .interval_ns = plan->interval_ns,
        .follow = options.follow};
    auto state = std::make_unique<State>(options, std::move(*process), std::move(*programs),
                                         std::move(*plan), ledger_config, std::move(*writer));
    state->attach(*allocator);
    // What reading ELF files and building tables has freed: a tool against retention keeps none.
    ::malloc_trim(0);
    return Recorder(std::move(state));
}

Result<ledger::Recording> Recorder::run(const std::atomic<bool>& stop, double progress_seconds,
                                        const std::function<void(const Progress&)>& progress) {
    state_->follow(stop, progress_seconds, progress);
    return state_->finish();
}

}  // namespace asrtrace
