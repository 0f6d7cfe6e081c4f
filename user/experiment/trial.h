// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a worker did under each variant, and what to do about it. Pure functions of the figures.
#pragma once

#include <string>
#include <vector>

#include "user/experiment/figures.h"
#include "user/experiment/variant.h"

namespace asrtrace::experiment {

/// A setting that costs more of p95 or of CPU, as a share of stock's, is not recommended.
constexpr double kBearable = 0.25;

struct Trial {
    Variant variant;
    std::vector<Figures> rounds;  ///< empty: there are no figures
    Figures figures;              ///< of all rounds
    std::string problem;          ///< why there are none
};

/// The one of that name that has figures; null if there is none.
const Trial* find_trial(const std::vector<Trial>& trials, const std::string& name);

/// Shares of the stock run's, how much less memory or how much more time: -0.3 is 30 % less.
struct Comparison {
    double plateau = 0, peak = 0, p95 = 0, cpu = 0;
};
Comparison compare(const Figures& variant, const Figures& stock);

struct Recommendation {
    std::string variant;  ///< "stock" if nothing is worth its cost
    std::string text;     ///< with its cost
};

/// The variant whose peak is the least among those that lose no request, save at least a tenth of
/// stock's peak and cost at most a quarter of p95 and of CPU; and what would save more at a higher
/// cost. `trials` begin with stock, which was run.
Recommendation recommend(const std::vector<Trial>& trials);

}  // namespace asrtrace::experiment
