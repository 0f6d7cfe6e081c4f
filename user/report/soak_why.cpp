// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/soak_why.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "user/base/quantity.h"
#include "user/report/sources.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using classify::Finding;
using classify::FindingKind;
using soak::Verdict;

constexpr double kAllOfIt = 0.8;  ///< share of a growth from which one class is called its reason
constexpr std::size_t kMostFindings = 5;

/// The reading of the heap nearest to the middle of a window; null if none is within it or as far
/// away as it is long.
const ledger::Reading* reading_in(const ledger::Recording& recording, const soak::Window& window) {
    if (recording.samples.empty()) return nullptr;
    const double begin = static_cast<double>(recording.samples.front().t_ns) * 1e-9;
    const double middle = begin + static_cast<double>(window.begin + window.end) / 2;
    const auto distance = [&](const ledger::Reading& reading) {
        return std::abs(static_cast<double>(reading.t_ns) * 1e-9 - middle);
    };
    const auto nearest =
        std::min_element(recording.readings.begin(), recording.readings.end(),
                         [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
    const double most = 1.5 * static_cast<double>(window.end - window.begin);
    return nearest == recording.readings.end() || distance(*nearest) > most ? nullptr : &*nearest;
}

struct Share {
    const char* name;
    std::int64_t bytes;
};

/// Where anonymous memory went between early and late, most first; empty if nobody read the heap.
std::vector<Share> shares_of_growth(const Verdict& verdict, const ledger::Recording& recording) {
    const auto* early = reading_in(recording, verdict.windows[soak::kEarly].window);
    const auto* late = reading_in(recording, verdict.windows[soak::kLate].window);
    if (early == nullptr || late == nullptr) return {};
    const auto from = book_classes(early->books);
    const auto to = book_classes(late->books);
    std::vector<Share> shares;
    for (std::size_t i = 0; i < from.size(); ++i)
        shares.push_back({from[i].first, to[i].second - from[i].second});
    std::stable_sort(shares.begin(), shares.end(),
                     [](const Share& a, const Share& b) { return a.bytes > b.bytes; });
    return shares;
}

std::string decomposition(const std::vector<Share>& shares) {
    std::int64_t total = 0;
    std::string parts;
    for (const Share& share : shares) {
        total += share.bytes;
        if (share.bytes != 0)
            parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", share.name,
                                 signed_bytes(static_cast<double>(share.bytes)));
    }
    return fmt::format("Between early and late the worker's anonymous memory changed by {}: {}.",
                       signed_bytes(static_cast<double>(total)), parts.empty() ? "nothing" : parts);
}

std::string told(const Source& source, const Finding& finding) {
    std::string text = fmt::format(
        "{}{}{} ({}): {}", classify::kind_name(finding.kind), finding.subkind.empty() ? "" : ", ",
        finding.subkind, classify::confidence_name(finding.confidence), bytes(finding.bytes));
    if (finding.per_request)
        text += fmt::format(", {} per {}", bytes(finding.per_request->value), source.unit());
    if (!finding.stacks.empty()) {
        const char* by = finding.kind == FindingKind::kRetention ? "pinned by" : "by";
        text += fmt::format(", {} {}", by, one_line(source, finding.stacks.front()));
    }
    return text + ".";
}

std::string hidden(const Verdict& verdict, const Finding& finding, double rate) {
    const double per_day = finding.per_request->value * rate * 86400;
    const double limit = 1024 * static_cast<double>(verdict.pss.pass_limit);
    return fmt::format(
        "The worker's growth passes, but {} a request are never given back: {} a day at {:g} "
        "requests/s, past the limit for PASS after {} requests.",
        bytes(finding.per_request->value), bytes(per_day), rate,
        grouped(static_cast<std::uint64_t>(limit / finding.per_request->value)));
}

/// Of a verdict that is no PASS although the worker did not grow.
std::string not_by_growth(const Verdict& verdict) {
    const char* what = verdict.swap != soak::Grade::kPass ? "memory of the worker that was swapped"
                       : verdict.mem_available.grade == verdict.overall
                           ? "the memory that the machine has available, which others use as well"
                           : "an OOM kill";
    return fmt::format("The worker's own growth passes; the {} is for {}.",
                       soak::grade_name(verdict.overall), what);
}

std::string reason_of_growth(const std::vector<Share>& shares, const Source& source) {
    std::int64_t total = 0;
    for (const Share& share : shares) total += share.bytes;
    if (total <= 0)
        return "What grew past the limits for PASS is not the worker's anonymous memory.";
    const Share& most = shares.front();
    const double part = static_cast<double>(most.bytes) / static_cast<double>(total);
    if (part < kAllOfIt) return "The growth has no single reason; see its parts.";
    const std::string share = fmt::format("{} of the growth", percent(std::min(part, 1.0)));
    if (std::string(most.name) == "heap.retained")
        return fmt::format(
            "{} is retention: memory that the worker has freed and malloc keeps; {} of it would "
            "go back by malloc_trim(0) now.",
            share, bytes(source.recording.readings.back().releasable));
    if (std::string(most.name) == "heap.live")
        return share + " is memory that the worker has not freed.";
    return fmt::format("{} is {}.", share, most.name);
}

}  // namespace

std::vector<std::string> soak_why(const Verdict& verdict, const ledger::Recording& recording,
                                  const classify::Analysis& analysis, double rate) {
    const Source source{recording, analysis.summary, analysis.findings};
    std::vector<std::string> out;
    const bool grew = std::max(verdict.pss.grade, verdict.rss_anon.grade) > soak::Grade::kPass;
    const auto shares = shares_of_growth(verdict, recording);
    if (grew && !shares.empty()) out.push_back(reason_of_growth(shares, source));
    if (!grew && verdict.overall != soak::Grade::kPass) out.push_back(not_by_growth(verdict));
    for (const Finding& finding : analysis.findings)
        if (!grew && classify::endless(finding) && finding.per_request &&
            finding.per_request->value > 0)
            out.push_back(hidden(verdict, finding, rate));
    if (!shares.empty()) out.push_back(decomposition(shares));
    for (std::size_t i = 0; i < std::min(analysis.findings.size(), kMostFindings); ++i)
        out.push_back(told(source, analysis.findings[i]));
    if (analysis.findings.empty())
        out.push_back(fmt::format("The trace of {} {}s has no finding: nothing grows with them.",
                                  grouped(recording.requests_completed), source.unit()));
    return out;
}

}  // namespace asrtrace::report
