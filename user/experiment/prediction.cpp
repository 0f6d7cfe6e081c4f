// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/experiment/prediction.h"

#include <optional>

namespace asrtrace::experiment {
namespace {

using classify::Finding;
using classify::Remedy;
using classify::Saving;

constexpr const char* kByReading = "the heap, read before";
constexpr const char* kByFindings = "findings of a traced run";

/// The usual variant that does what a finding advises; null if there is none.
const char* variant_for(Remedy remedy) {
    switch (remedy) {
        case Remedy::kMmapThreshold:
        case Remedy::kTrimThreshold:
            return "thresholds";
        case Remedy::kTrim:
        case Remedy::kNoThreadCache:
            break;
    }
    return nullptr;
}

/// By how much a variant's retained memory is less than that of the traced run.
std::optional<double> saved(const std::vector<Trial>& trials, const TracedRun& traced,
                            const std::string& variant) {
    const Trial* trial = find_trial(trials, variant);
    if (trial == nullptr || !traced.retained_bytes || !trial->figures.retained_bytes)
        return std::nullopt;
    return *traced.retained_bytes - *trial->figures.retained_bytes;
}

void add_saving(std::vector<Prediction>& out, const std::vector<Trial>& trials,
                const TracedRun& traced, const Saving& saving) {
    if (saving.remedy == Remedy::kTrim) {
        if (traced.trimmed_bytes)
            out.push_back(
                {"traced: malloc_trim(0)", kByFindings, saving.bytes, *traced.trimmed_bytes});
        return;
    }
    const char* variant = variant_for(saving.remedy);
    const auto came = variant != nullptr ? saved(trials, traced, variant) : std::nullopt;
    if (came)
        out.push_back({variant + std::string(": retained"), kByFindings, saving.bytes, *came});
}

}  // namespace

std::vector<Prediction> predictions(const std::vector<Trial>& trials, const TracedRun& traced) {
    std::vector<Prediction> out;
    for (const Trial& trial : trials) {
        const auto& said = trial.figures.releasable_bytes;
        const auto& came = trial.figures.trimmed_bytes;
        if (said && came)
            out.push_back({trial.variant.name + ": malloc_trim(0)", kByReading, *said, *came});
    }
    double growth = 0;
    for (const Finding& finding : traced.findings) {
        for (const Saving& saving : finding.savings) add_saving(out, trials, traced, saving);
        if (classify::endless(finding) && finding.per_request) growth += finding.per_request->value;
    }
    if (growth > 0)
        out.push_back({"stock: growth a request", kByFindings, growth,
                       trials.front().figures.growth_per_request});
    return out;
}

}  // namespace asrtrace::experiment
