// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/experiment/figures.h"

#include <algorithm>
#include <array>

#include "user/classify/slope.h"

namespace asrtrace::experiment {
namespace {

constexpr double kPlateauFrom = 0.75;  ///< of the load
constexpr std::size_t kFewestBins = 8, kMostBins = 40;
constexpr std::size_t kMomentsABin = 5;  ///< where there are enough of them

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

template <typename Wanted>
double median_pss(const std::vector<Moment>& moments, Wanted wanted) {
    std::vector<double> values;
    for (const Moment& moment : moments)
        if (wanted(moment)) values.push_back(moment.pss_bytes);
    return median(std::move(values));
}

/// The second half of the load's requests. A bin is the least of its moments: what requests in
/// flight hold comes and goes on top of it.
std::vector<classify::Point> growth_points(const std::vector<Moment>& moments,
                                           double load_seconds) {
    std::vector<const Moment*> loaded;
    for (const Moment& moment : moments)
        if (moment.seconds >= 0 && moment.seconds <= load_seconds) loaded.push_back(&moment);
    if (loaded.empty()) return {};
    const std::uint64_t half = loaded.back()->requests / 2;
    std::erase_if(loaded, [&](const Moment* moment) { return moment->requests < half; });
    const std::size_t bins =
        std::clamp(loaded.size() / kMomentsABin, std::min(kFewestBins, loaded.size()), kMostBins);
    std::vector<classify::Point> points;
    for (std::size_t bin = 0; bin < bins; ++bin) {
        const auto begin = loaded.begin() + static_cast<std::ptrdiff_t>(bin * loaded.size() / bins);
        const auto end =
            loaded.begin() + static_cast<std::ptrdiff_t>((bin + 1) * loaded.size() / bins);
        const Moment* least = *std::min_element(begin, end, [](const Moment* a, const Moment* b) {
            return a->pss_bytes < b->pss_bytes;
        });
        points.push_back({static_cast<double>(least->requests), least->pss_bytes});
    }
    return points;
}

}  // namespace

void take_memory(Figures& figures, const std::vector<Moment>& moments, double load_seconds) {
    figures.start_bytes = median_pss(moments, [](const Moment& at) { return at.seconds < 0; });
    figures.plateau_bytes = median_pss(moments, [&](const Moment& at) {
        return at.seconds >= kPlateauFrom * load_seconds && at.seconds <= load_seconds;
    });
    for (const Moment& moment : moments)
        figures.peak_bytes = std::max(figures.peak_bytes, moment.pss_bytes);
    const auto slope = classify::theil_sen(growth_points(moments, load_seconds));
    figures.growth_per_request = slope ? slope->value : 0;
    const bool bounded = slope && slope->ci95;
    figures.growth_lo = bounded ? slope->ci95->lo : std::min(0.0, figures.growth_per_request);
    figures.growth_hi = bounded ? slope->ci95->hi : figures.growth_per_request;
}

void take_requests(Figures& figures, const load::Tally& tally, std::uint64_t unsent) {
    figures.p50_ms = tally.all.percentile(50);
    figures.p95_ms = tally.all.percentile(95);
    figures.p99_ms = tally.all.percentile(99);
    figures.answered = static_cast<double>(tally.all.count());
    figures.failed = static_cast<double>(tally.failed() + unsent);
}

Figures median_of(const std::vector<Figures>& rounds) {
    static constexpr std::array kAlways = {&Figures::start_bytes,
                                           &Figures::plateau_bytes,
                                           &Figures::peak_bytes,
                                           &Figures::growth_per_request,
                                           &Figures::growth_lo,
                                           &Figures::growth_hi,
                                           &Figures::p50_ms,
                                           &Figures::p95_ms,
                                           &Figures::p99_ms,
                                           &Figures::cpu_ms_per_request,
                                           &Figures::faults_per_request,
                                           &Figures::answered,
                                           &Figures::failed};
    static constexpr std::array kSometimes = {&Figures::retained_bytes, &Figures::releasable_bytes,
                                              &Figures::trimmed_bytes};
    Figures out;
    for (const auto member : kAlways) {
        std::vector<double> values;
        values.reserve(rounds.size());
        for (const Figures& round : rounds) values.push_back(round.*member);
        out.*member = median(std::move(values));
    }
    for (const auto member : kSometimes) {
        std::vector<double> values;
        for (const Figures& round : rounds)
            if (round.*member) values.push_back(*(round.*member));
        if (!values.empty()) out.*member = median(std::move(values));
    }
    return out;
}

}  // namespace asrtrace::experiment
