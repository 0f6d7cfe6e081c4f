// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What attach, run and soak share: the options, and the way from attaching to the report.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "tools/asrtrace/recorder.h"
#include "tools/asrtrace/show.h"
#include "user/base/output_file.h"

namespace asrtrace {

/// Reading the target, opening windows, and writing output.
inline constexpr CapabilitySet kTracingCapabilities =
    kWritingCapabilities | capability_set(Capability::kBpf, Capability::kPerfmon,
                                          Capability::kSysPtrace, Capability::kDacReadSearch);

struct SessionOptions {
    RecorderOptions recorder;
    std::string tier = "full";
    double budget_percent = 2;
    std::uint64_t raw_mib = 0;
    std::string method = "auto";
    ReportFiles out;
    std::string path_exclude;
    double duration_seconds = 0;
    std::uint64_t requests = 0;
    CapabilitySet keeps = 0;  ///< capabilities that the caller needs behind the attach
    bool live = false;        ///< a screen instead of lines, where standard error is a terminal
};

void add_session_options(CLI::App& verb, SessionOptions& options);
/// Those of them that say how to trace, not for how long or what to show.
void add_tracing_options(CLI::App& verb, SessionOptions& options);
/// Moves what was parsed as text into options.recorder.
void choose(SessionOptions& options);

/// Attaches to options.recorder.pid, calls `attached`, follows the target, shows the report.
/// Behind `attached` the calling thread gives up what it does not need any more (settle_thread).
/// Returns the exit status; `attached` is not called if attaching failed. Stop signals are the
/// caller's to catch.
int run_session(SessionOptions options, const std::function<void()>& attached);

}  // namespace asrtrace
