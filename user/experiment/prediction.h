// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What was said before, by a reading of the heap or by the findings of a traced run, and what came.
#pragma once

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

/// Of each run that tried malloc_trim, by the reading before it; and, with the findings of a traced
/// stock run, of the settings that a retention advises, and of stock's growth a request if
/// something grows endlessly. `trials` begin with stock, which was run.
std::vector<Prediction> predictions(const std::vector<Trial>& trials,
                                    const std::vector<classify::Finding>& findings);

}  // namespace asrtrace::experiment
