// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/measure.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "user/base/path.h"
#include "user/classify/culprit.h"

namespace asrtrace::gate {
namespace {

using classify::Finding;
using classify::FindingKind;
using ledger::Recording;

constexpr double kAlpha = 0.05;

/// The normal distribution's upper quantile: P(Z > z) = tail, by bisection.
double normal_quantile(double tail) {
    double low = 0, high = 40;
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        (std::erfc(middle / std::sqrt(2.0)) / 2 > tail ? low : high) = middle;
    }
    return low;
}

bool concerns(const Finding& finding, Rule rule) {
    switch (rule) {
        case Rule::kLeak:
            return finding.kind == FindingKind::kLeak && classify::endless(finding);
        case Rule::kCache:
            return finding.kind == FindingKind::kCache && finding.subkind == "unbounded";
        case Rule::kMapped:
            return finding.kind == FindingKind::kMapped && finding.per_request;
        case Rule::kStack:
            return finding.kind == FindingKind::kStack && finding.per_request;
        case Rule::kPlateau:
            return finding.kind == FindingKind::kCache && finding.subkind != "unbounded";
        case Rule::kRetained:
        case Rule::kUnexplained:
        case Rule::kPss:
        case Rule::kPeakRssAnon:
            break;
    }
    return false;
}

/// The interval of the median by ranks, so that each end errs with at most `alpha` / 2; the
/// extremes where there are too few values for that. In logarithms: 0.5 to the power of more than
/// 1,074 values is 0 in a double.
Interval median_interval(const std::vector<double>& sorted, double alpha) {
    const auto n = static_cast<double>(sorted.size());
    double log_chance = -n * std::numbers::ln2, sum = 0;
    std::size_t rank = 0;
    for (; 2 * rank + 2 < sorted.size(); ++rank) {
        sum += std::exp(log_chance);
        if (sum > alpha / 2) break;
        log_chance += std::log((n - static_cast<double>(rank)) / (static_cast<double>(rank) + 1));
    }
    const std::size_t low = rank == 0 ? 0 : rank - 1;
    return {sorted[low], sorted[sorted.size() - 1 - low]};
}

double unexplained_percent(const ledger::Books& books) {
    const auto total = static_cast<double>(books.total());
    return total <= 0 ? 0 : 100 * std::abs(static_cast<double>(books.unexplained)) / total;
}

/// PSS is read with every fifth sample or oftener, and repeated in those between
/// (traces/FORMAT.md).
constexpr std::size_t kSamplesPerPss = 5;

/// Five equal samples in a row may be one measurement.
std::vector<double> measurements_of_pss(const std::vector<double>& samples) {
    std::vector<double> values;
    std::size_t repeats = 0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        repeats = i > 0 && samples[i] == samples[i - 1] ? repeats + 1 : 0;
        if (repeats % kSamplesPerPss == 0) values.push_back(samples[i]);
    }
    return values;
}

/// The second half, without what only repeats a measurement of the first.
std::vector<double> later_half(const std::vector<double>& values, bool repeated) {
    const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    if (!repeated || half == values.begin()) return {half, values.end()};
    const auto other = std::find_if(half, values.end(), [&](double x) { return x != *(half - 1); });
    const bool was_measured =
        other == values.end() || other - half >= static_cast<std::ptrdiff_t>(kSamplesPerPss);
    return {was_measured ? half : other, values.end()};
}

std::vector<double> level_values(const Recording& recording, Rule rule) {
    std::vector<double> values;
    if (rule == Rule::kPss) {
        for (const auto& sample : recording.samples)
            if (sample.pss_kb != 0) values.push_back(static_cast<double>(sample.pss_kb) * 1024);
        return values;
    }
    for (const auto* reading : classify::settled_readings(recording))
        values.push_back(rule == Rule::kRetained ? static_cast<double>(reading->books.heap_retained)
                                                 : unexplained_percent(reading->books));
    return values;
}

}  // namespace

std::size_t sites_examined(const classify::Analysis& analysis) {
    return analysis.summary.heap.size();
}

double widening(std::size_t comparisons) {
    const auto shares = static_cast<double>(std::max<std::size_t>(comparisons, 1));
    return normal_quantile(kAlpha / 2 / shares) / normal_quantile(kAlpha / 2);
}

std::vector<Measured> measured_findings(const classify::Analysis& analysis, Rule rule,
                                        std::size_t comparisons) {
    std::vector<Measured> all;
    const double wider = widening(comparisons);
    for (std::size_t i = 0; i < analysis.findings.size(); ++i) {
        const Finding& finding = analysis.findings[i];
        if (!concerns(finding, rule)) continue;
        Measured out;
        out.finding = i;
        if (rule == Rule::kPlateau) {
            // A forecast has no interval; what is there already is sure.
            out.value =
                std::max(finding.bytes, finding.forecast ? finding.forecast->plateau_bytes : 0);
            out.corrected = Interval{finding.bytes, out.value};
        } else if (finding.per_request) {
            out.value = finding.per_request->value;
            out.ci95 = finding.per_request->ci95;
            if (out.ci95)
                out.corrected = Interval{out.value - wider * (out.value - out.ci95->lo),
                                         out.value + wider * (out.ci95->hi - out.value)};
        }
        all.push_back(out);
    }
    return all;
}

std::optional<Measured> measured_level(const Recording& recording, Rule rule, std::size_t fewest,
                                       std::size_t comparisons) {
    Measured out;
    if (rule == Rule::kPeakRssAnon) {
        out.value = static_cast<double>(recording.counts.peak_rss_anon_bytes);
        if (out.value == 0 || !recording.totals_known) return std::nullopt;
        out.corrected = Interval{out.value, out.value};
        return out;
    }
    auto values = later_half(level_values(recording, rule), rule == Rule::kPss);
    if (values.empty() || values.size() < fewest) return std::nullopt;
    if (rule == Rule::kPss) values = measurements_of_pss(values);
    std::ranges::sort(values);
    const std::size_t half = values.size() / 2;
    out.value = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    out.ci95 = median_interval(values, kAlpha);
    const auto shares = static_cast<double>(std::max<std::size_t>(comparisons, 1));
    out.corrected = median_interval(values, kAlpha / shares);
    return out;
}

std::string identity(const Recording& recording, const Finding& finding) {
    if (finding.stacks.empty()) return {};
    const auto frames = classify::frames_of(recording, finding.stacks.front());
    const auto* culprit = classify::culprit_of(frames);
    if (culprit == nullptr) return {};
    const std::string module(basename_of(culprit->module));
    if (!culprit->function.empty()) return culprit->function + '\n' + module;
    return '+' + std::to_string(culprit->module_offset) + '\n' + module;
}

}  // namespace asrtrace::gate
