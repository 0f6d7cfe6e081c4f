// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/experiment/recycling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "user/base/quantity.h"

namespace asrtrace::experiment {
namespace {

constexpr double kJitterShare = 0.15;  ///< of the requests that fit into the budget
constexpr double kMostRequests = 1e9;
constexpr double kRoundTo = 10;

RecyclingAdvice none(std::string why) {
    RecyclingAdvice advice;
    advice.text = std::move(why);
    return advice;
}

}  // namespace

RecyclingAdvice advise_recycling(const Figures& stock, double budget_bytes) {
    if (stock.growth_lo <= 0)
        return none(
            fmt::format("no recycling is needed: memory did not surely grow with requests "
                        "(95 % interval {} a request)",
                        byte_range({stock.growth_lo, stock.growth_hi})));
    // What a worker takes at its most, apart from its growth; the one that replaces it as well.
    const double base =
        std::max(stock.start_bytes, stock.peak_bytes - stock.growth_per_request * stock.answered);
    const double room = budget_bytes - 2 * base;
    if (room <= 0)
        return none(
            fmt::format("no limit keeps {}: a worker takes up to {} without its growth, "
                        "and at a changeover the next one as much again",
                        bytes(budget_bytes), bytes(base)));
    const double requests = std::min(room / stock.growth_hi, kMostRequests);
    const double limit = std::floor(requests * (1 - kJitterShare) / kRoundTo) * kRoundTo;
    if (limit < 1)
        return none(fmt::format("no limit keeps {}: only {:.0f} requests fit into it",
                                bytes(budget_bytes), requests));
    RecyclingAdvice advice;
    advice.limit = static_cast<std::uint64_t>(limit);
    advice.jitter = static_cast<std::uint64_t>(std::floor(requests * kJitterShare));
    advice.text = fmt::format(
        "--limit-max-requests {} --limit-max-requests-jitter {} keeps {}: a worker takes up to {} "
        "without its growth, at a changeover there are two, and it grows by {} a request (95 % "
        "interval {}, of which the upper end counts)",
        advice.limit, advice.jitter, bytes(budget_bytes), bytes(base),
        bytes(stock.growth_per_request), byte_range({stock.growth_lo, stock.growth_hi}));
    return advice;
}

std::string smallest_limit(const std::vector<Trial>& trials) {
    const Figures& stock = trials.front().figures;
    const Trial* smallest = nullptr;
    std::string tried;
    for (const Trial& trial : trials) {
        if (trial.variant.recycle_limit == 0 || trial.variant.name == kBudgetName ||
            trial.rounds.empty())
            continue;
        tried +=
            fmt::format("{}{} (peak {}, p95 {:.1f} ms, p99 {:.1f} ms)", tried.empty() ? "" : ", ",
                        trial.variant.recycle_limit, bytes(trial.figures.peak_bytes),
                        trial.figures.p95_ms, trial.figures.p99_ms);
        const bool bearable =
            trial.figures.failed == 0 && compare(trial.figures, stock).p95 <= kBearable;
        if (bearable &&
            (smallest == nullptr || trial.variant.recycle_limit < smallest->variant.recycle_limit))
            smallest = &trial;
    }
    if (tried.empty()) return {};
    const std::string text = "Limits tried: " + tried + ". ";
    if (smallest == nullptr)
        return text + "None without lost requests and with a p95 at most a quarter above stock's.";
    return text + fmt::format(
                      "{} is the smallest that loses no request and whose p95 is at most a "
                      "quarter above stock's {:.1f} ms.",
                      smallest->variant.recycle_limit, stock.p95_ms);
}

}  // namespace asrtrace::experiment
