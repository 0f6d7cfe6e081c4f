// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A characterization run: a worker is started or found, left idle, put under load and left idle
// again, while its memory is sampled and, if asked for, traced.
//
//   Command | pid --samples--> rows (CSV) --------------> soak::judge
//        |            `-------> Recorder --Recording----> classify
//   LoadThread ----requests--> Tally
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/asrtrace/recorder.h"
#include "user/base/result.h"
#include "user/capture/process_tree.h"
#include "user/load/plan.h"
#include "user/load/tally.h"
#include "user/soak/memory_csv.h"
#include "user/soak/plan.h"

namespace asrtrace {

struct SoakRunOptions {
    soak::Plan plan;
    load::Plan load;
    double start_seconds = 60;             ///< within these the worker has to accept connections
    std::vector<std::string> command;      ///< empty: `recorder.pid` is there already
    std::vector<std::string> environment;  ///< NAME=VALUE, of the command beside ours
    bool trace = true;
    RecorderOptions recorder;
    std::string csv;       ///< file for the rows; empty: none
    bool closely = false;  ///< also look at PSS ten times a second: SoakOutcome::moments
    bool drain = false;    ///< behind the recovery, wait for answers that are still to come
    /// The caller starts no worker behind this one: its thread gives up what it does not need any
    /// more (settle_thread).
    bool last = false;
    /// Called behind the recovery and the tracer's end with the pid of the worker, which still
    /// runs; may be empty.
    std::function<void(std::int32_t)> at_end;
};

/// PSS of all the worker's processes together, between two rows.
struct SoakMoment {
    double seconds = 0;          ///< since the run began
    std::uint64_t requests = 0;  ///< that had ended by then
    std::uint64_t pss_kb = 0;
};

/// What the progress shows.
struct SoakProgress {
    const char* phase = "";
    std::int64_t seconds = 0, of_seconds = 0;
    soak::Row row;
    load::Tally tally;
};

struct SoakOutcome {
    std::int32_t pid = 0;
    std::vector<soak::Row> rows;
    std::vector<SoakMoment> moments;
    load::Tally tally;
    std::uint64_t requests_unsent = 0;  ///< the run ended before they were due
    std::vector<std::string> events;    ///< what happened to the worker, with its second
    bool ended = false;                 ///< the worker did, before the run
    capture::OomKills oom_kills;        ///< in the run
    std::string late_meminfo;           ///< /proc/meminfo at the end of the load
    double cpu_seconds = 0;             ///< of the worker, in the load
    std::uint64_t faults = 0;           ///< likewise
    std::optional<ledger::Recording> recording;
};

/// Seconds of a phase, scaled.
double scaled_seconds(std::int64_t phase, const soak::Scale& scale);

/// Error: the worker cannot be started, attached to or reached, or something else answers in its
/// place; the run has not begun. `notes` is
/// called with lines for people while it begins. A worker that ends, or `stop`, ends the run early.
Result<SoakOutcome> run_soak(const SoakRunOptions& options, const std::atomic<bool>& stop,
                             const std::function<void(const std::string&)>& note,
                             const std::function<void(const SoakProgress&)>& show);

}  // namespace asrtrace
