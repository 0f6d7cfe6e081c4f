// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A worker under several settings, side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "user/experiment/prediction.h"
#include "user/experiment/recycling.h"
#include "user/experiment/trial.h"

namespace asrtrace::report {

struct Experiment {
    std::vector<experiment::Trial> trials;  ///< the stock run first
    double rate = 0;                        ///< requests a second
    std::vector<experiment::Prediction> predictions;
    std::string not_traced;  ///< why no findings predicted anything; empty if they did
    std::optional<experiment::RecyclingAdvice> recycling;
    double budget_bytes = 0;  ///< of `recycling`
    std::string limits;       ///< of recycling, compared; empty if none was tried
    experiment::Recommendation recommendation;
    /// The run that was made with the limit advised; null if there was none.
    const experiment::Trial* checked() const;
};

std::string experiment_text(const Experiment& experiment);

/// The schema asrtrace.experiment/1.
std::string experiment_json(const Experiment& experiment);

/// The table alone, for a document.
std::string experiment_markdown(const Experiment& experiment);

}  // namespace asrtrace::report
