// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/soak_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "tools/asrtrace/clock.h"
#include "tools/asrtrace/command.h"
#include "tools/asrtrace/load_thread.h"
#include "tools/asrtrace/session.h"
#include "user/base/fd.h"
#include "user/base/maps.h"
#include "user/base/output_file.h"
#include "user/base/unix_clock.h"
#include "user/load/client.h"
#include "user/soak/processes.h"

namespace asrtrace {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

Clock::duration seconds_of(double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
}

soak::Row row_of(const ledger::ProcSample& sample) {
    const auto kb = [](std::uint64_t value) {
        return std::min(static_cast<std::int64_t>(value), soak::kMostValue);
    };
    return {.ts = sample.unix_seconds,
            .vm_rss = kb(sample.vm_rss_kb),
            .rss_anon = kb(sample.rss_anon_kb),
            .rss_file = kb(sample.rss_file_kb),
            .rss_shmem = kb(sample.rss_shmem_kb),
            .vm_swap = kb(sample.vm_swap_kb),
            .pss = kb(sample.pss_kb),
            .mem_available = kb(sample.mem_available_kb),
            .mem_total = kb(sample.mem_total_kb)};
}

/// NAME=VALUE in our environment for as long as it lives; no thread of ours runs by then.
class EnvironmentScope {
  public:
    explicit EnvironmentScope(const std::vector<std::string>& settings) {
        for (const std::string& setting : settings) {
            const std::size_t mark = setting.find('=');
            const std::string name = setting.substr(0, mark);
            const char* before = std::getenv(name.c_str());
            before_.emplace_back(
                name, before == nullptr ? std::nullopt : std::optional<std::string>(before));
            ::setenv(name.c_str(), setting.c_str() + mark + 1, 1);
        }
    }
    EnvironmentScope(const EnvironmentScope&) = delete;
    EnvironmentScope& operator=(const EnvironmentScope&) = delete;
    ~EnvironmentScope() {
        for (const auto& [name, value] : before_)
            value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }

  private:
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

/// The command with our standard error for its standard output, which is for the result, and its
/// part of the environment.
Result<Command> start_command(const SoakRunOptions& options) {
    const EnvironmentScope environment(options.environment);
    const UniqueFd kept(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    auto command = Command::start_held(options.command);
    ::dup2(kept.get(), STDOUT_FILENO);
    return command;
}

/// Ends a worker of ours: by SIGTERM, after a while by SIGKILL.
void end_command(Command& command) {
    constexpr int kGraceTenths = 150;
    ::kill(command.pid(), SIGTERM);
    for (int tenth = 0; command.running() && tenth < kGraceTenths; ++tenth)
        std::this_thread::sleep_for(milliseconds(100));
    if (command.running()) ::kill(command.pid(), SIGKILL);
    (void)command.wait();
}

class SoakRun {
  public:
    SoakRun(const SoakRunOptions& options, const std::atomic<bool>& stop,
            const std::function<void(const std::string&)>& note,
            const std::function<void(const SoakProgress&)>& show)
        : options_(options), stop_(stop), note_(note), show_(show) {}
    SoakRun(const SoakRun&) = delete;
    SoakRun& operator=(const SoakRun&) = delete;
    ~SoakRun() {
        stop_recorder_ = true;
        if (recorder_thread_.joinable()) recorder_thread_.join();
        if (command_) end_command(*command_);
    }

    Status begin();
    SoakOutcome run();

  private:
    Status start_recorder();
    void run_recorder();
    void give_up_rights();
    void note_rights(const std::string& problem) {
        if (!problem.empty()) note_("note: " + problem);
    }
    Status wait_until_it_accepts();
    Status open_csv();
    void take_row();
    void note_silence();
    void note_processes();
    void look_closely();
    void follow_phase(double until);
    void drain();
    void begin_load();
    void end_load();
    void finish_recorder();
    double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }
    void happened(const std::string& what) {
        outcome_.events.push_back(fmt::format("{:.0f} s: {}", elapsed(), what));
        note_(outcome_.events.back());
    }

    const SoakRunOptions& options_;
    const std::atomic<bool>& stop_;
    const std::function<void(const std::string&)>& note_;
    const std::function<void(const SoakProgress&)>& show_;
    std::optional<Command> command_;
    std::shared_ptr<Mailbox<ledger::ProcSample>> samples_ =
        std::make_shared<Mailbox<ledger::ProcSample>>();
    std::optional<Recorder> recorder_;
    std::atomic<bool> stop_recorder_{false};
    ConfinedThread recorder_thread_;
    std::optional<Result<ledger::Recording>> recording_;
    std::unique_ptr<LoadThread> load_;
    UniqueFd csv_;
    Clock::time_point begin_;
    std::int64_t begin_unix_seconds_ = 0;
    std::int64_t next_row_ = 0;
    double shown_ = 0;
    bool gone_ = false, silent_ = false;
    soak::Processes processes_;
    int process_changes_ = 0;
    const char* phase_ = "";
    capture::OomKills oom_before_;
    double cpu_before_ = 0;
    std::uint64_t faults_before_ = 0;
    SoakOutcome outcome_;
};

Status SoakRun::begin() {
    outcome_.pid = options_.recorder.pid;
    if (!options_.command.empty()) {
        const auto taken = load::accepts(options_.load.url);
        if (!taken) return taken.error();
        if (*taken)
            return Error{"something accepts connections at " + options_.load.url +
                         " already, and would take the requests in the worker's place"};
        auto command = start_command(options_);
        if (!command) return command.error();
        command_.emplace(std::move(*command));
        outcome_.pid = command_->pid();
    }
    if (options_.trace) {
        if (auto started = start_recorder(); !started) return started;
    }
    if (command_) command_->release();
    if (recorder_) run_recorder();
    if (options_.last) give_up_rights();
    if (auto waited = wait_until_it_accepts(); !waited) return waited;
    return open_csv();
}

void SoakRun::run_recorder() {
    constexpr double kNever = 1e9;
    recorder_thread_ = ConfinedThread(
        Settlement{.name = "recorder", .capabilities = kTracingCapabilities}, [this] {
            recording_ =
                recorder_->run(stop_recorder_, kNever, [](const Progress&) { return Wish::kNone; });
        });
    note_rights(recorder_thread_.problem());
}

/// Reading the worker, ending it, and writing output remain.
void SoakRun::give_up_rights() {
    constexpr CapabilitySet kKept =
        kWritingCapabilities |
        capability_set(Capability::kSysPtrace, Capability::kDacReadSearch, Capability::kKill);
    if (const auto status = settle_thread(kKept); !status)
        note_rights("the tracer keeps its rights: " + status.error().message);
}

/// Not before the run is known to begin: it takes the place of an earlier run's.
Status SoakRun::open_csv() {
    if (options_.csv.empty()) return ok_status();
    auto file = open_output_file(options_.csv);
    if (!file) return file.error();
    csv_ = std::move(*file);
    return write_all(csv_.get(), soak::memory_csv_header() + "\n", options_.csv);
}

Status SoakRun::start_recorder() {
    RecorderOptions options = options_.recorder;
    options.pid = outcome_.pid;
    options.samples = samples_;
    options.will_serve = true;
    auto recorder = Recorder::start(options);
    if (!recorder) return recorder.error();
    recorder_.emplace(std::move(*recorder));
    note_(fmt::format("attached to PID {}: {}", options.pid, recorder_->summary()));
    for (const std::string& line : recorder_->notes()) note_("note: " + line);
    return ok_status();
}

Status SoakRun::wait_until_it_accepts() {
    const auto deadline = Clock::now() + seconds_of(options_.start_seconds);
    while (!stop_) {
        const auto accepts = load::accepts(options_.load.url);
        if (!accepts) return accepts.error();
        if (*accepts) return ok_status();
        if (!capture::sample_tree(outcome_.pid, false)) {
            return Error{fmt::format("the worker (pid {}) has ended before it accepted connections",
                                     outcome_.pid)};
        }
        if (Clock::now() > deadline)
            return Error{fmt::format("nothing accepts connections at {} within {:.0f} s",
                                     options_.load.url, options_.start_seconds)};
        std::this_thread::sleep_for(milliseconds(50));
    }
    return Error{"stopped before the run began"};
}

/// Of a row's time whole seconds are kept: those since the beginning, not the time of day. One that
/// is a little late stays in the second in which it was due, and in its window; none is early.
void SoakRun::take_row() {
    const std::int64_t second = static_cast<std::int64_t>(elapsed());
    auto sample = capture::sample_tree(outcome_.pid, true);
    if (!sample) {
        happened(fmt::format("the worker (pid {}) is gone", outcome_.pid));
        outcome_.ended = gone_ = true;
        return;
    }
    sample->unix_seconds = begin_unix_seconds_ + second;
    const soak::Row row = row_of(*sample);
    outcome_.rows.push_back(row);
    sample->t_ns = monotonic_ns();
    if (recorder_) samples_->post(*sample);
    if (csv_.valid()) {
        const auto written = write_all(csv_.get(), soak::memory_csv_line(row) + "\n", options_.csv);
        if (!written) {
            happened("no more rows are written: " + written.error().message);
            csv_.reset();
        }
    }
    note_silence();
    note_processes();
    const std::int64_t total = options_.plan.seconds();
    const bool last = static_cast<double>(next_row_) >= static_cast<double>(total);
    if (elapsed() - shown_ < static_cast<double>(total) / 100 && !last) return;
    shown_ = elapsed();
    show_({.phase = phase_,
           .seconds = next_row_,
           .of_seconds = total,
           .row = row,
           .tally = load_ ? load_->tally() : outcome_.tally});
}

void SoakRun::note_silence() {
    constexpr std::uint64_t kSilence = 5;  // requests
    if (!load_) return;
    const load::Tally tally = load_->tally();
    const bool silent = tally.failed_in_a_row >= kSilence;
    if (silent && !silent_)
        happened(fmt::format("the worker does not answer: {} requests in a row failed ({})",
                             tally.failed_in_a_row, tally.last_error));
    if (!silent && silent_) happened("the worker answers again");
    silent_ = silent;
}

void SoakRun::note_processes() {
    constexpr int kMostChanges = 200;
    const std::string changes = processes_.look(capture::process_tree(outcome_.pid));
    if (changes.empty() || process_changes_ > kMostChanges) return;
    happened(++process_changes_ > kMostChanges ? "more such changes are not listed" : changes);
}

void SoakRun::look_closely() {
    if (!options_.closely) return;
    const double now = elapsed();
    const std::uint64_t requests = load_ ? load_->tally().requests : 0;
    outcome_.moments.push_back({now, requests, capture::tree_pss_kb(outcome_.pid)});
}

/// Rows are due at whole steps since the beginning, whatever a reading takes.
void SoakRun::follow_phase(double until) {
    const std::int64_t step = *options_.plan.step();
    while (!stop_ && !gone_ && static_cast<double>(next_row_) <= until) {
        const auto due = begin_ + std::chrono::seconds(next_row_);
        if (Clock::now() < due) {
            std::this_thread::sleep_until(std::min(due, Clock::now() + milliseconds(100)));
            look_closely();
            continue;
        }
        take_row();
        next_row_ += step;
    }
    while (!stop_ && !gone_ && elapsed() < until)
        std::this_thread::sleep_until(
            std::min(begin_ + seconds_of(until), Clock::now() + milliseconds(100)));
}

void SoakRun::drain() {
    if (!options_.drain || !load_) return;
    const auto deadline = Clock::now() + seconds_of(options_.load.timeout_seconds);
    while (!stop_ && !gone_ && Clock::now() < deadline &&
           load_->tally().requests < options_.load.requests)
        std::this_thread::sleep_for(milliseconds(50));
}

void SoakRun::begin_load() {
    auto client = load::Client::create(options_.load);
    if (!client) return happened(client.error().message);
    const auto windows = soak::windows_of(options_.plan);
    const double begin = scaled_seconds(options_.plan.baseline, options_.plan.scale);
    const auto span = [&](soak::WindowIndex index) {
        return load::Span{static_cast<double>(windows[index].begin) - begin,
                          static_cast<double>(windows[index].end) - begin};
    };
    load::Tally empty;
    empty.early_span = span(soak::kEarly);
    empty.late_span = span(soak::kLate);
    cpu_before_ = capture::tree_cpu_seconds(outcome_.pid);
    faults_before_ = capture::tree_faults(outcome_.pid);
    load_ = std::make_unique<LoadThread>(std::move(*client), std::move(empty));
    note_rights(load_->problem());
}

void SoakRun::end_load() {
    if (const auto meminfo = read_text_file("/proc/meminfo")) outcome_.late_meminfo = *meminfo;
    if (gone_) return;
    outcome_.cpu_seconds = capture::tree_cpu_seconds(outcome_.pid) - cpu_before_;
    outcome_.faults = capture::tree_faults(outcome_.pid) - faults_before_;
}

void SoakRun::finish_recorder() {
    stop_recorder_ = true;
    if (recorder_thread_.joinable()) recorder_thread_.join();
    if (!recording_) return;
    if (!recorder_->trace_error().empty()) happened("trace: " + recorder_->trace_error());
    if (!*recording_) {
        happened("trace: " + recording_->error().message);
    } else {
        outcome_.recording = std::move(**recording_);
    }
}

SoakOutcome SoakRun::run() {
    const soak::Plan& plan = options_.plan;
    const double load_begin = scaled_seconds(plan.baseline, plan.scale);
    const double load_end = load_begin + scaled_seconds(plan.load, plan.scale);
    oom_before_ = capture::oom_kills(outcome_.pid);
    begin_ = Clock::now();
    begin_unix_seconds_ = unix_seconds();
    phase_ = "baseline";
    follow_phase(load_begin);
    phase_ = "load";
    if (!stop_ && !gone_) begin_load();
    follow_phase(load_end);
    end_load();
    phase_ = "recovery";
    follow_phase(load_end + scaled_seconds(plan.recovery, plan.scale));

    drain();
    if (stop_) happened("stopped before the end of the run");
    if (load_) {
        outcome_.tally = load_->finish();
        outcome_.requests_unsent = options_.load.requests - outcome_.tally.requests;
    }
    const capture::OomKills oom = capture::oom_kills(outcome_.pid);
    outcome_.oom_kills.machine = oom.machine - oom_before_.machine;
    if (!gone_) outcome_.oom_kills.cgroup = oom.cgroup - oom_before_.cgroup;
    finish_recorder();
    if (!stop_ && !gone_ && options_.at_end) options_.at_end(outcome_.pid);
    return std::move(outcome_);
}

}  // namespace

double scaled_seconds(std::int64_t phase, const soak::Scale& scale) {
    return static_cast<double>(phase * scale.over) / static_cast<double>(scale.under);
}

Result<SoakOutcome> run_soak(const SoakRunOptions& options, const std::atomic<bool>& stop,
                             const std::function<void(const std::string&)>& note,
                             const std::function<void(const SoakProgress&)>& show) {
    SoakRun run(options, stop, note, show);
    if (auto begun = run.begin(); !begun) return begun.error();
    return run.run();
}

}  // namespace asrtrace
