// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What attach and run share: the options, and the way from attaching to the report.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "tools/asrtrace/recorder.h"
#include "tools/asrtrace/show.h"

namespace asrtrace {

struct SessionOptions {
    RecorderOptions recorder;
    std::string tier = "full";
    double budget_percent = 2;
    std::string method = "auto";
    ReportFiles out;
    std::string path_exclude;
    double duration_seconds = 0;
    std::uint64_t requests = 0;
    bool live = false;  ///< a screen instead of lines, where standard error is a terminal
};

void add_session_options(CLI::App& verb, SessionOptions& options);

/// Attaches to options.recorder.pid, calls `attached`, follows the target, shows the report.
/// Returns the exit status; `attached` is not called if attaching failed. Stop signals are the
/// caller's to catch.
int run_session(SessionOptions options, const std::function<void()>& attached);

}  // namespace asrtrace
