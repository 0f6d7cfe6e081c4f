// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A recording of one target: attaches, follows it until something ends the window, and leaves a
// trace.
//
//   Programs --ring--> decode --> Ledger --> trace::Writer --read--> Recording
//        `--stacks--> SymbolThread --------------^
//                     SamplerThread -------------^
//                     HeapThread ----------------'
//
// run() is the thread that drains the ring and owns ledger and trace; symbols and samples come from
// threads of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "tools/asrtrace/live_model.h"
#include "user/base/mailbox.h"
#include "user/base/result.h"
#include "user/capture/programs.h"
#include "user/ledger/recording.h"

namespace asrtrace {

struct RecorderOptions {
    std::int32_t pid = 0;
    capture::Tier tier = capture::Tier::kFull;
    /// Share of the target's own CPU that following every allocation may take; more, and it is done
    /// in windows. Nothing: no limit.
    std::optional<double> budget;
    std::string request_spec = "auto";
    bool will_serve = false;  ///< HTTP requests will come, though it may listen on no socket yet
    std::optional<std::regex> path_exclude;  ///< HTTP requests of such paths do not count
    std::optional<double> duration_seconds;
    std::optional<std::uint64_t> requests;
    std::uint64_t sample_mean_bytes = 512 << 10;
    std::optional<capture::ProbeMethod> method;  ///< for measurements, like the next four
    bool http_by_calls = false;
    bool http_by_sockets = false;
    bool mappings_by_calls = false;
    bool at_symbols = false;
    bool follow = false;          ///< children, and what the target becomes by exec
    bool debuginfod = false;      ///< may fetch debug files over the network
    bool read_heap = true;        ///< take censuses while tracing
    bool live = false;            ///< keep what the live view shows
    std::string output;           ///< trace file; empty: kept in memory
    std::uint64_t raw_bytes = 0;  ///< of raw events that the trace keeps, compressed; 0: none
    /// If set, memory samples come from here, with CLOCK_MONOTONIC for t_ns, and none are taken.
    std::shared_ptr<Mailbox<ledger::ProcSample>> samples;
};

/// What is to be shown while the target runs.
struct Progress {
    double seconds = 0;
    std::uint64_t requests = 0;
    std::uint64_t rss_anon_kb = 0, first_rss_anon_kb = 0;
    std::uint64_t live_blocks = 0;
    double events_per_second = 0;
    std::uint64_t lost_events = 0;
    std::string tracking;             ///< of allocations, if there is a budget: full, windows ...
    std::vector<std::string> news;    ///< what became of the budget since the last time
    ledger::Overhead overhead;        ///< of the last second
    const LiveModel* live = nullptr;  ///< with RecorderOptions::live
};

/// What whoever is shown the progress wants; a later one includes those before it.
enum class Wish : std::uint8_t {
    kNone,
    kReading,  ///< of the heap, now
    kEnd,      ///< of the window
};

class Recorder {
  public:
    /// Attaches. When it returns every probe is in, and notes() says what could not be.
    static Result<Recorder> start(const RecorderOptions& options);

    Recorder(Recorder&&) noexcept;
    ~Recorder();

    /// Follows the target until `stop` is set, the limits of the options are reached or the target
    /// ends; calls `progress` every `progress_seconds`, on the thread that drains the ring.
    /// Detaches and closes the trace.
    Result<ledger::Recording> run(const std::atomic<bool>& stop, double progress_seconds,
                                  const std::function<Wish(const Progress&)>& progress);

    /// For people, one a line: what was chosen and what cannot be seen.
    std::vector<std::string> notes() const;
    /// What went wrong with the trace file while recording; empty if nothing did.
    const std::string& trace_error() const;
    const std::string& summary() const;  ///< "full tier, 8 probes by uprobe session, requests: ..."

  private:
    class State;
    explicit Recorder(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace asrtrace
