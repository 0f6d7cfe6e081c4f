// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/recorder.h"

#include <malloc.h>

#include <algorithm>
#include <set>

#include "tools/asrtrace/clock.h"
#include "tools/asrtrace/fault_watch.h"
#include "tools/asrtrace/heap_readings.h"
#include "tools/asrtrace/mapping_watch.h"
#include "tools/asrtrace/notes.h"
#include "tools/asrtrace/overhead_meter.h"
#include "tools/asrtrace/preflight.h"
#include "tools/asrtrace/probe_plan.h"
#include "tools/asrtrace/process_family.h"
#include "tools/asrtrace/sampler_thread.h"
#include "tools/asrtrace/symbol_thread.h"
#include "tools/asrtrace/totals.h"
#include "tools/asrtrace/tracking.h"
#include "user/base/maps.h"
#include "user/base/unix_clock.h"
#include "user/capture/process.h"
#include "user/capture/sockets.h"
#include "user/decode/event.h"
#include "user/ledger/ledger.h"
#include "user/symbols/debuginfod.h"
#include "user/trace/writer.h"

namespace asrtrace {
namespace {

constexpr int kPollMilliseconds = 100;
constexpr std::uint64_t kCommitNs = 1'000'000'000;
/// A process has gone, and what the ring told of it has been read long ago.
constexpr std::uint64_t kLostNs = 2'000'000'000;
constexpr const char* kTargetExited = "target exited";

double seconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) * 1e-9;
}

}  // namespace

class Recorder::State {
  public:
    State(RecorderOptions options, capture::Process process, capture::Programs programs,
          ProbePlan plan, const ledger::LedgerConfig& config, trace::Writer writer);

    void attach();
    void warn(std::string note) { notes_.add(std::move(note)); }
    void follow(const std::atomic<bool>& stop, double progress_seconds,
                const std::function<Wish(const Progress&)>& show);
    Result<ledger::Recording> finish();

    RecorderOptions options_;
    Notes notes_;
    std::string trace_error_;
    std::string summary_;

  private:
    void on_record(Bytes bytes);
    std::vector<std::string> confinement_problems() const;
    void on_task(const decode::Event& event, const decode::Task& task);
    void end_lost(std::uint64_t now_ns, std::uint64_t grace_ns);
    void drain(int timeout_ms);
    void pass_on();
    void add_stacks(const std::vector<SymbolizedStack>& stacks);
    void add_samples(const std::vector<ledger::ProcSample>& samples);
    std::vector<ledger::ProcSample> new_samples();
    void note_trace_error(const Status& status);
    void note_unwinding();
    void write_totals(std::uint64_t now_ns);
    void commit(std::uint64_t now_ns);
    bool ended(const std::atomic<bool>& stop, std::uint64_t now_ns);
    void update_progress(std::uint64_t now_ns);

    capture::Process process_;
    capture::Programs programs_;
    ProbePlan plan_;
    ledger::Ledger ledger_;
    trace::Writer writer_;
    SymbolThread symbols_;
    std::optional<SamplerThread> sampler_;  ///< nothing: samples are given to us
    HeapReadings heap_;
    MappingWatch mappings_;
    ledger::Target target_;
    ProcessFamily family_;
    OverheadMeter meter_;
    FaultWatch faults_;
    std::optional<Tracking> tracking_;  ///< if there is a budget

    std::uint64_t start_ns_;
    std::int64_t start_unix_seconds_ = unix_seconds();
    ledger::Losses losses_;
    ledger::Overhead overhead_;
    std::set<std::string> unwinding_problems_;  ///< that were noted
    std::string ended_by_;
    std::uint32_t next_stack_ = 1;
    std::uint64_t records_ = 0, peak_rss_anon_kb_ = 0;
    std::uint64_t first_rss_anon_kb_ = 0, rss_anon_kb_ = 0;
    std::optional<LiveModel> live_;
    Progress progress_;
    double rate_begin_ = 0;  ///< seconds, and the records by then
    std::uint64_t rate_records_ = 0;
};

Recorder::State::State(RecorderOptions options, capture::Process process,
                       capture::Programs programs, ProbePlan plan,
                       const ledger::LedgerConfig& config, trace::Writer writer)
    : options_(std::move(options)),
      process_(std::move(process)),
      programs_(std::move(programs)),
      plan_(std::move(plan)),
      ledger_(config),
      writer_(std::move(writer)),
      symbols_(options_.pid, programs_.unwinding(), options_.debuginfod),
      heap_(
          options_.pid, config.start_ns, ledger_, writer_,
          [this](const ledger::Reading& reading) {
              if (live_) live_->add_reading(reading);
          },
          [this](const ledger::SizeRange& sizes) {
              programs_.raise_sampling(sizes.low, sizes.high);
          }),
      mappings_(options_.pid, plan_.mapping_calls),
      family_(process_, target_, symbols_, notes_),
      meter_(process_, options_.follow ? &family_ : nullptr, config.start_ns),
      faults_(options_.pid, options_.budget || options_.tier == capture::Tier::kWatch,
              config.fault_mean_bytes, programs_, family_, meter_),
      start_ns_(config.start_ns) {
    if (!options_.samples) sampler_.emplace(*family_.changed(), config.start_ns);
    if (!options_.live) return;
    live_.emplace();
    progress_.live = &*live_;
}

void Recorder::State::attach() {
    const capture::AllocatorProbes& allocator = plan_.allocator;
    const capture::RequestPlan& requests = plan_.requests;
    writer_.set_tool_version(ASRTRACE_VERSION);
    target_ = describe(process_, allocator);
    writer_.set_target(target_);
    writer_.set_request_source(requests.source, requests.spec);
    const bool follows_allocator = options_.tier != capture::Tier::kWatch;
    const std::uint64_t begin_ns = monotonic_ns();
    if (const auto cost = programs_.measure_traps()) {
        meter_.set_trap_cost(*cost, allocator);
    } else {
        notes_.add("what a probe's hit costs is not known: " + cost.error().message);
    }
    programs_.attach_kernel_plane(losses_.attach_failed);
    mappings_.attach(programs_, losses_.attach_failed);
    programs_.attach_requests(requests.probes, losses_.attach_failed);
    if (requests.source == ledger::RequestSource::kHttp)
        programs_.attach_http(plan_.socket_calls, losses_.attach_failed);
    const Status followed = follows_allocator ? programs_.attach_allocator(allocator) : ok_status();
    if (!followed && !options_.budget) losses_.attach_failed.push_back(followed.error().message);
    faults_.begin(losses_.attach_failed);
    programs_.enable();
    const std::uint64_t maps_ns = monotonic_ns();
    if (const auto maps = read_maps(options_.pid)) {
        ledger_.seed_mappings(*maps, maps_ns, monotonic_ns());
        mappings_.begin(*maps);
    }
    if (options_.budget)
        tracking_.emplace(*options_.budget, allocator, followed, programs_, ledger_, meter_,
                          maps_ns);
    overhead_.tier = tracking_ ? "auto" : capture::tier_name(options_.tier);
    overhead_.attach_seconds = seconds(monotonic_ns() - begin_ns);

    if (!requests.note.empty()) notes_.add(requests.note);
    if (const std::string note = mappings_.note(); !note.empty()) notes_.add(note);
    if (requests.source == ledger::RequestSource::kHttp && capture::uses_io_uring(options_.pid))
        notes_.add(
            "the target has a ring of io_uring: requests that pass through it are "
            "not seen by http; use --request func:START,DONE or every:SECONDS");
    for (const capture::Bypass& bypass : allocator.bypasses) notes_.add(bypass.explanation);
    note_unwinding();
    if (allocator.modules_skipped != 0)
        notes_.add(
            "executable files of the target that were not searched for allocators, for there are "
            "too many or they cannot be read: " +
            std::to_string(allocator.modules_skipped));
    for (const std::string& problem : confinement_problems()) notes_.add(problem);
    for (const std::string& failure : losses_.attach_failed) {
        notes_.add("could not attach " + failure);
    }
    if (tracking_) {
        for (std::string& news : tracking_->take_news())
            notes_.add(Notes::Repeated::kBudget, std::move(news));
    }
    summary_ = overhead_.tier + " tier, ";
    if (follows_allocator) {
        summary_ += std::to_string(followed ? allocator.probes.size() : 0) + " allocator probes (" +
                    capture::method_name(programs_.method()) + "), ";
    }
    summary_ += "requests by " + requests.spec;
    commit(monotonic_ns());  // whoever is killed early leaves what was traced
}

/// What of it was not said before.
void Recorder::State::note_unwinding() {
    for (const std::string& problem : symbols_.problems())
        if (unwinding_problems_.insert(problem).second) notes_.add("unwinding: " + problem);
}

/// Of all threads that read the target's bytes.
std::vector<std::string> Recorder::State::confinement_problems() const {
    std::vector<std::string> problems = symbols_.confinement_problems();
    problems.push_back(plan_.problem);
    problems.push_back(heap_.problem());
    problems.push_back(meter_.problem());
    if (sampler_) problems.push_back(sampler_->problem());
    std::erase(problems, "");
    return problems;
}

void Recorder::State::on_task(const decode::Event& event, const decode::Task& task) {
    family_.note(event, task);
    if (!options_.follow) {
        if (family_.execed()) ended_by_ = "target replaced its program (exec)";
        return;
    }
    pass_on();  // what is in the ring before the task's event belongs to the time before it
    family_.follow(event, task);
}

/// What a process held is gone with it, though its end's record was lost.
void Recorder::State::end_lost(std::uint64_t now_ns, std::uint64_t grace_ns) {
    for (const decode::ProcessNumber process : family_.lost(now_ns, grace_ns)) {
        pass_on();
        family_.end(process);
        ledger_.apply({.time_ns = now_ns,
                       .payload = decode::Task{.process_ended = true},
                       .process = process});
    }
}

void Recorder::State::on_record(Bytes bytes) {
    ++records_;
    writer_.add_raw_event(bytes);
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
    programs_.attach_advised_orders(losses_.attach_failed);
    programs_.attach_http_ends(losses_.attach_failed);
    if (programs_.audit_http(monotonic_ns(), losses_.attach_failed))
        notes_.add(
            "requests by http: the target makes socket calls past its libraries; from now on all "
            "of the machine are watched for them, which costs other processes 100 to 200 ns each");
}

void Recorder::State::add_stacks(const std::vector<SymbolizedStack>& stacks) {
    for (const SymbolizedStack& stack : stacks) {
        writer_.add_stack(stack.id, stack.flags, stack.frames);
        if (live_) live_->add_stack(stack.id, stack.flags, stack.frames);
    }
}

void Recorder::State::add_samples(const std::vector<ledger::ProcSample>& samples) {
    for (const ledger::ProcSample& sample : samples) {
        if (first_rss_anon_kb_ == 0) first_rss_anon_kb_ = sample.rss_anon_kb;
        rss_anon_kb_ = sample.rss_anon_kb;
        peak_rss_anon_kb_ = std::max(peak_rss_anon_kb_, sample.rss_anon_kb);
        writer_.add_sample(sample);
        if (live_) live_->add_sample(sample);
    }
}

std::vector<ledger::ProcSample> Recorder::State::new_samples() {
    if (sampler_) return sampler_->take();
    std::vector<ledger::ProcSample> samples = options_.samples->take();
    for (ledger::ProcSample& sample : samples) sample.t_ns -= start_ns_;
    return samples;
}

/// Moves what has become final from the ledger and the other threads into the trace.
void Recorder::State::pass_on() {
    ledger::LedgerOutput output = ledger_.take_output();
    for (const auto process : output.code_mapped) symbols_.mappings_changed(process);
    for (const decode::StackKey key : output.stacks) {
        const StackId id{next_stack_++};
        writer_.add_raw_stack(id, key);
        if (const auto record = programs_.stack(key)) {
            symbols_.post({id, *record});
        } else {
            writer_.add_stack(id, ledger::kStackFailed, {});
        }
    }
    for (const ledger::Request& request : output.requests) writer_.add_request(request);
    for (ledger::EpochRecord& epoch : output.epochs) {
        if (live_) live_->add_epoch(epoch);
        writer_.add_epoch(std::move(epoch));
    }
    add_stacks(symbols_.take());
    add_samples(new_samples());
}

void Recorder::State::note_trace_error(const Status& status) {
    if (!status && trace_error_.empty()) trace_error_ = status.error().message;
}

void Recorder::State::write_totals(std::uint64_t now_ns) {
    const capture::Counters counters = programs_.counters();
    const capture::ProgramStatistics statistics = programs_.statistics();
    ledger::Counts counts = counts_of(counters);
    counts.faults_user = faults_.by_user_code(counts.faults_kernel);
    ledger_.add_counts(counts);
    counts.peak_rss_anon_bytes = peak_rss_anon_kb_ * 1024;
    add_losses(counters, statistics, losses_);
    losses_.census_rejected = heap_.rejected();
    losses_.unknown_requests = ledger_.requests_unknown();
    losses_.missed_frees = ledger_.missed_frees();
    losses_.unseen_mapping_bytes = mappings_.unseen_bytes();
    losses_.modules_failed = symbols_.modules_failed();
    losses_.mappings_dropped = symbols_.mappings_dropped();

    meter_.measure(now_ns, counters, statistics, overhead_);
    writer_.set_counts(counts);
    ledger::Losses losses = losses_;
    if (tracking_) tracking_->add_failures(losses.attach_failed);
    writer_.set_losses(losses);
    writer_.set_overhead(overhead_);
    writer_.set_attribution(ledger_.events_attributed(), ledger_.events_unattributed());
    writer_.set_requests_completed(ledger_.requests_completed());
    ledger::HttpSeen http = http_seen(counters);
    http.aborted = ledger_.requests_aborted();
    http.excluded = ledger_.requests_excluded();
    writer_.set_http(http);
    writer_.set_paths(ledger_.path_totals(), ledger_.site_paths());
    writer_.set_lifetimes(ledger_.lifetimes());
    writer_.set_notes(notes_.list());
    writer_.set_window({.seconds = seconds(now_ns - start_ns_),
                        .start_unix_seconds = start_unix_seconds_,
                        .ended_by = ended_by_.empty() ? "recorder died" : ended_by_,
                        .exit_status = family_.exit_status()});
}

bool Recorder::State::ended(const std::atomic<bool>& stop, std::uint64_t now_ns) {
    if (!ended_by_.empty()) return true;
    if (stop) {
        ended_by_ = "interrupt";
    } else if (family_.all_ended()) {
        ended_by_ = kTargetExited;
    } else if (options_.duration_seconds &&
               seconds(now_ns - start_ns_) >= *options_.duration_seconds) {
        ended_by_ = "duration";
    } else if (options_.requests && ledger_.requests_completed() >= *options_.requests) {
        ended_by_ = "requests";
    }
    return !ended_by_.empty();
}

void Recorder::State::update_progress(std::uint64_t now_ns) {
    constexpr double kRateSeconds = 1;  // over less, the rate would jump
    progress_.seconds = seconds(now_ns - start_ns_);
    if (const double elapsed = progress_.seconds - rate_begin_; elapsed >= kRateSeconds) {
        progress_.events_per_second = static_cast<double>(records_ - rate_records_) / elapsed;
        rate_begin_ = progress_.seconds;
        rate_records_ = records_;
    }
    progress_.requests = ledger_.requests_completed();
    progress_.live_blocks = ledger_.live_blocks();
    progress_.first_rss_anon_kb = first_rss_anon_kb_;
    progress_.rss_anon_kb = rss_anon_kb_;
    progress_.overhead = overhead_;
    if (tracking_) progress_.tracking = tracking_->mode_name();
    progress_.lost_events = ring_losses(programs_.counters());
}

void Recorder::State::commit(std::uint64_t now_ns) {
    faults_.count();
    write_totals(now_ns);
    note_trace_error(writer_.commit());
}

void Recorder::State::follow(const std::atomic<bool>& stop, double progress_seconds,
                             const std::function<Wish(const Progress&)>& show) {
    const auto progress_ns = static_cast<std::uint64_t>(progress_seconds * 1e9);
    std::uint64_t commit_ns = start_ns_;
    std::uint64_t shown_ns = start_ns_;
    for (;;) {
        drain(kPollMilliseconds);
        const std::uint64_t now_ns = monotonic_ns();
        ledger_.tick(now_ns);
        meter_.advance(now_ns);
        // What a window's survivors are worth is told by the heap as it is then.
        if (tracking_ && tracking_->advance(now_ns, [this] { drain(0); })) heap_.order_soon();
        heap_.take();
        pass_on();
        if (auto members = family_.changed(); sampler_ && members)
            sampler_->watch(std::move(*members));
        if (ended(stop, now_ns)) return;
        // Followed children may outlive the target.
        if (options_.read_heap && process_.alive()) heap_.order_if_due(now_ns);
        if (now_ns - commit_ns >= kCommitNs) {
            faults_.thin(static_cast<double>(now_ns - commit_ns) * 1e-9);
            commit_ns = now_ns;
            if (options_.follow) end_lost(now_ns, kLostNs);
            if (process_.alive()) mappings_.check(ledger_);
            commit(now_ns);
        }
        if (tracking_) progress_.news = tracking_->take_news();
        for (const std::string& news : progress_.news) notes_.add(Notes::Repeated::kBudget, news);
        if (now_ns - shown_ns >= progress_ns || !progress_.news.empty()) {
            shown_ns = now_ns;
            update_progress(now_ns);
            const Wish wish = show(progress_);
            if (wish == Wish::kReading && options_.read_heap) heap_.order_soon();
            if (wish == Wish::kEnd) ended_by_ = "interrupt";
        }
    }
}

Result<ledger::Recording> Recorder::State::finish() {
    if (options_.read_heap) {
        heap_.take_last([this] {
            drain(1);
            return process_.alive();
        });
    }
    const std::uint64_t end_ns = monotonic_ns();
    faults_.count();
    meter_.stop(end_ns);
    programs_.detach();
    overhead_.detach_seconds = seconds(monotonic_ns() - end_ns);
    drain(0);
    if (options_.follow && ended_by_ == kTargetExited) end_lost(end_ns, 0);
    ledger_.finish(end_ns);
    pass_on();
    add_samples(sampler_ ? sampler_->finish() : new_samples());
    add_stacks(symbols_.finish());
    note_unwinding();
    for (std::string& warning : http_warnings(http_seen(programs_.counters())))
        notes_.add(std::move(warning));
    if (const std::string note = mappings_.unseen_note(); !note.empty()) notes_.add(note);
    family_.note_children(options_.follow);
    if (options_.follow) {
        for (std::string& note : replaced_libraries(plan_.allocator)) notes_.add(std::move(note));
    }
    if (const std::string failure = heap_.failure(); options_.read_heap && !failure.empty())
        notes_.add("the heap could not be read: " + failure);
    if (const std::string failure = heap_.reach_failure(); !failure.empty())
        notes_.add(
            "blocks that nothing points to could not be looked for, leaks are told by their "
            "growth alone: " +
            failure);
    writer_.set_target(target_);
    if (tracking_) overhead_.tier = tracking_->tier_name();
    write_totals(end_ns);
    note_trace_error(writer_.finish());
    return writer_.read();
}

Recorder::Recorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recorder::Recorder(Recorder&&) noexcept = default;
Recorder::~Recorder() = default;

std::vector<std::string> Recorder::notes() const {
    return state_->notes_.list();
}

const std::string& Recorder::trace_error() const {
    return state_->trace_error_;
}

const std::string& Recorder::summary() const {
    return state_->summary_;
}

namespace {

/// What a seccomp filter in the target would lead to; empty: nothing.
std::string danger_of_filters(const capture::Programs& programs) {
    const auto safe = programs.returns_pass_filters();
    if (safe && *safe) return {};
    if (!safe)
        return "whether this kernel kills such a process when a probed function returns could not "
               "be found out (" +
               safe.error().message + ")";
    return "this kernel kills such a process when a probed function returns (from Linux 6.11 on, "
           "mended in 6.14 and in later releases of 6.12 and 6.13)";
}

}  // namespace

Result<Recorder> Recorder::start(const RecorderOptions& options) {
    auto process = capture::Process::open(options.pid);
    if (!process) return process.error();
    if (options.debuginfod) {
        if (const Status usable = symbols::start_debuginfod(); !usable) return usable.error();
    }
    const capture::Features features = capture::detect_features();
    if (const Status machine = check_machine(features); !machine) return machine.error();
    auto plan = plan_probes(options, capture::choose_method(options.method, features));
    if (!plan) return plan.error();

    const capture::RequestPlan& requests = plan->requests;
    const capture::ProgramsConfig config{.pid = options.pid,
                                         .tier = options.tier,
                                         .sample_mean_bytes = options.sample_mean_bytes,
                                         .follow = options.follow,
                                         .http = requests.source == ledger::RequestSource::kHttp,
                                         .http_by_probes = !options.http_by_sockets,
                                         .http_port = requests.http_port,
                                         .method = options.method,
                                         .http_by_calls = options.http_by_calls,
                                         .at_symbols = options.at_symbols,
                                         .fault_addresses = options.raw_bytes != 0};
    auto programs = capture::Programs::load(config, features);
    if (!programs) return programs.error();
    std::string danger;
    if (options.tier != capture::Tier::kWatch) danger = danger_of_filters(*programs);
    if (!danger.empty() && process->filters_system_calls())
        return Error{"PID " + std::to_string(options.pid) + " has a seccomp filter, and " + danger +
                     ": use --tier watch"};
    auto writer =
        options.output.empty() ? trace::Writer::in_memory() : trace::Writer::create(options.output);
    if (!writer) return writer.error();

    const ledger::LedgerConfig ledger_config{
        .start_ns = monotonic_ns(),
        .sample_mean_bytes = options.tier == capture::Tier::kSites ? options.sample_mean_bytes : 0,
        .fault_mean_bytes = config.fault_mean_bytes,
        .interval_ns = requests.interval_ns,
        .follow = options.follow,
        .path_exclude = options.path_exclude};
    if (options.raw_bytes != 0) {
        const Status kept = writer->keep_raw_events(options.raw_bytes, ledger_config.start_ns);
        if (!kept) return kept.error();
    }
    auto state = std::make_unique<State>(options, std::move(*process), std::move(*programs),
                                         std::move(*plan), ledger_config, std::move(*writer));
    if (!danger.empty())
        state->warn("if the target installs a seccomp filter: " + danger +
                    "; --tier watch is safe");
    state->attach();
    // What reading ELF files and building tables has freed: a tool against retention keeps none.
    ::malloc_trim(0);
    return Recorder(std::move(state));
}

Result<ledger::Recording> Recorder::run(const std::atomic<bool>& stop, double progress_seconds,
                                        const std::function<Wish(const Progress&)>& progress) {
    state_->follow(stop, progress_seconds, progress);
    return state_->finish();
}

}  // namespace asrtrace
