// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How often a worker is to be replaced: what keeps a budget, and which of the limits that were
// tried does at the least memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "user/experiment/trial.h"

namespace asrtrace::experiment {

/// The variant that checks an advice is called so.
constexpr const char* kBudgetName = "budget";

struct RecyclingAdvice {
    std::uint64_t limit = 0, jitter = 0;
    std::string text;  ///< with its figures; why there is none if limit is 0
};

/// From the growth of the stock run, at the upper end of its interval. At a changeover two workers
/// are there: the old one at its largest, and the next one, warm but not grown.
RecyclingAdvice advise_recycling(const Figures& stock, double budget_bytes);

/// Of the workers that were replaced after so many requests: the smallest limit that loses no
/// request and costs at most a quarter of p95; the run of an advice is none of them. Empty if none
/// was tried.
std::string smallest_limit(const std::vector<Trial>& trials);

}  // namespace asrtrace::experiment
