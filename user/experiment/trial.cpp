// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/experiment/trial.h"

#include <fmt/format.h>

#include "user/base/quantity.h"

namespace asrtrace::experiment {
namespace {

constexpr double kWorthIt = -0.1;  ///< of the peak

double ratio_less_one(double value, double base) {
    return base > 0 ? value / base - 1 : 0;
}

std::string share(double value) {
    return fmt::format("{:+.0f} %", 100 * value);
}

bool bearable(const Comparison& to_stock) {
    return to_stock.p95 <= kBearable && to_stock.cpu <= kBearable;
}

std::string told(const Trial& trial, const Figures& stock) {
    const Comparison to_stock = compare(trial.figures, stock);
    std::string text = fmt::format("{}: peak {} ({} instead of {}), plateau {}", trial.variant.name,
                                   share(to_stock.peak), bytes(trial.figures.peak_bytes),
                                   bytes(stock.peak_bytes), share(to_stock.plateau));
    if (stock.growth_lo > 0 && !trial.variant.replaces_workers())
        text +=
            fmt::format(", growth {} a request instead of {}",
                        bytes(trial.figures.growth_per_request), bytes(stock.growth_per_request));
    return text + fmt::format("; it costs p95 {} ({:.1f} ms instead of {:.1f}), CPU {} a request",
                              share(to_stock.p95), trial.figures.p95_ms, stock.p95_ms,
                              share(to_stock.cpu));
}

}  // namespace

const Trial* find_trial(const std::vector<Trial>& trials, const std::string& name) {
    for (const Trial& trial : trials)
        if (trial.variant.name == name && !trial.rounds.empty()) return &trial;
    return nullptr;
}

Comparison compare(const Figures& variant, const Figures& stock) {
    return {.plateau = ratio_less_one(variant.plateau_bytes, stock.plateau_bytes),
            .peak = ratio_less_one(variant.peak_bytes, stock.peak_bytes),
            .p95 = ratio_less_one(variant.p95_ms, stock.p95_ms),
            .cpu = ratio_less_one(variant.cpu_ms_per_request, stock.cpu_ms_per_request)};
}

Recommendation recommend(const std::vector<Trial>& trials) {
    const Figures& stock = trials.front().figures;
    const Trial* best = nullptr;
    const Trial* least = nullptr;
    const auto less = [](const Trial& a, const Trial* b) {
        return b == nullptr || a.figures.peak_bytes < b->figures.peak_bytes;
    };
    for (const Trial& trial : trials) {
        if (trial.rounds.empty() || trial.figures.failed > 0) continue;
        const Comparison to_stock = compare(trial.figures, stock);
        if (to_stock.peak > kWorthIt) continue;
        if (less(trial, least)) least = &trial;
        if (bearable(to_stock) && less(trial, best)) best = &trial;
    }
    Recommendation out;
    out.variant = best != nullptr ? best->variant.name : "stock";
    out.text = best != nullptr
                   ? told(*best, stock) + "."
                   : "stock: nothing saves a tenth of the peak at a bearable cost (a quarter of "
                     "p95 or CPU).";
    if (least != nullptr && least != best)
        out.text += " The least memory, at a higher cost: " + told(*least, stock) + ".";
    return out;
}

}  // namespace asrtrace::experiment
