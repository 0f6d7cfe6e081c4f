// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What was said before, by a reading of the heap or by the findings of a traced run, and what came.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "user/classify/findings.h"
#include "user/experiment/trial.h"

namespace asrtrace::experiment {

struct Prediction {
    std::string what;  ///< that is predicted
    std::string by;    ///< whom
    double said_bytes = 0;
    double came_bytes = 0;
};

/// The stock worker once more, under tracing.
struct TracedRun {
    std::vector<classify::Finding> findings;
    /// Read when the tracer was gone: what a run retains is not to the byte what another does.
    std::optional<double> retained_bytes, trimmed_bytes;
};

/// Of each run that tried malloc_trim, by the reading before it; and, with the findings of a traced
/// stock run, of what malloc_trim gave back there, of the settings that a retention advises, and of
/// stock's growth a request if something grows endlessly. `trials` begin with stock, which was run.
std::vector<Prediction> predictions(const std::vector<Trial>& trials, const TracedRun& traced);

}  // namespace asrtrace::experiment
