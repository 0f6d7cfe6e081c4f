// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Runs a worker under each of several settings, and measures.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/asrtrace/recorder.h"
#include "user/base/result.h"
#include "user/experiment/prediction.h"
#include "user/experiment/trial.h"
#include "user/load/plan.h"

namespace asrtrace {

struct ExperimentOptions {
    std::vector<std::string> command;
    load::Plan load;
    std::int64_t idle_seconds = 3;  ///< before and behind the load
    int rounds = 1;
    std::string trim_url;  ///< empty: malloc_trim is not tried
    RecorderOptions recorder;
};

/// All settings once, then all again. One that needs what is not here, makes no difference or whose
/// worker fails has that for its problem; stock that fails is an error. Progress goes to stderr.
Result<std::vector<experiment::Trial>> run_variants(
    const ExperimentOptions& options, const std::vector<experiment::Variant>& variants,
    const std::atomic<bool>& stop);

/// What a trace of the stock worker under the same load finds, and what its heap keeps then.
Result<experiment::TracedRun> trace_stock(const ExperimentOptions& options,
                                          const std::atomic<bool>& stop);

/// A library of the dynamic loader's, by its file name.
std::optional<std::string> find_library(const std::string& file);

}  // namespace asrtrace
