// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/classify/findings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "user/base/quantity.h"

namespace asrtrace::classify {
namespace {

using ledger::Reading;
using ledger::Recording;

constexpr double kLostShare = 0.001;       ///< of the events: confidence goes down
constexpr double kUnaccountedShare = 0.2;  ///< of all growth: less is not worth a line
constexpr double kMaterialShare = 0.02;    ///< of the memory there is
constexpr double kMaterialBytes = 65536;

/// That reached the ledger.
double events_seen(const Recording& recording) {
    return static_cast<double>(recording.events_attributed + recording.events_unattributed);
}

Evidence gather(const Recording& recording, const Summary& summary) {
    Evidence evidence{.recording = recording, .summary = summary};
    evidence.requests = static_cast<double>(recording.requests_completed);
    evidence.heap_traced = recording.overhead.tier != "watch";
    if (!recording.readings.empty()) {
        evidence.anonymous_last = static_cast<double>(recording.readings.back().books.total());
        evidence.anonymous_growth =
            evidence.anonymous_last - static_cast<double>(recording.readings.front().books.total());
    } else if (summary.memory.rss_anon) {
        evidence.anonymous_last = static_cast<double>(summary.memory.rss_anon->last);
        evidence.anonymous_growth = static_cast<double>(summary.memory.rss_anon->delta());
    }
    return evidence;
}

/// What marking finds. Where allocations are sampled it says how much is lost, and the samples
/// among it say where: few samples make a stack, but no figure.
void add_marked_leak(const Evidence& evidence, std::vector<Finding>& findings) {
    const auto is_leak = [](const Finding& finding) {
        return finding.kind == FindingKind::kLeak && !finding.of_followed;
    };
    const std::string& tier = evidence.recording.overhead.tier;
    const bool sampled = tier == "sites" || tier == "auto";
    double leaked = 0;
    std::vector<StackId> stacks;
    for (const Finding& finding : findings) {
        if (!is_leak(finding)) continue;
        leaked += finding.bytes;
        stacks.insert(stacks.end(), finding.stacks.begin(), finding.stacks.end());
    }
    auto leak = marked_leak(evidence, sampled ? 0 : leaked);
    if (!leak) return;
    if (sampled) {
        std::erase_if(findings, is_leak);
        leak->stacks = std::move(stacks);
        if (!leak->stacks.empty()) {
            leak->advice.clear();
        } else if (tier == "auto") {
            leak->confidence = std::max(leak->confidence, Confidence::kProbable);
            leak->evidence.emplace_back("no window has seen yet who allocates them");
        }
    } else if (lost_share(evidence.recording) > kTooMuchLost) {
        leak->advice.clear();  // who allocates them was seen, and lost
    }
    findings.push_back(std::move(*leak));
}

void doubt(Finding& finding, std::string why) {
    if (finding.confidence == Confidence::kDefinite) finding.confidence = Confidence::kProbable;
    finding.evidence.push_back(std::move(why));
}

/// Of blocks whose stacks found no room the place is unknown, and there may be many.
void doubt_unknown_places(const Evidence& evidence, std::vector<Finding>& findings) {
    const std::uint64_t unknown = evidence.recording.losses.map_full_stacks;
    if (unknown == 0) return;
    const double share = static_cast<double>(unknown) / events_seen(evidence.recording);
    for (Finding& finding : findings)
        if (std::ranges::find(finding.stacks, kUnknownStack) != finding.stacks.end())
            doubt(finding, fmt::format("of various places: the stacks of {} of the events found "
                                       "no room",
                                       percent(share)));
}

/// What is told of sites consists of events: their loss makes it doubtful, and then worthless.
std::vector<Finding> findings_of_events(const Evidence& evidence) {
    const double share = lost_share(evidence.recording);
    if (share > kTooMuchLost) return {};
    std::vector<Finding> findings = site_findings(evidence);
    doubt_unknown_places(evidence, findings);
    if (share > kLostShare)
        for (Finding& finding : findings)
            doubt(finding, fmt::format("{} of the events were lost", percent(share)));
    return findings;
}

/// What the heap and procfs were read for does not depend on events, but the number of requests
/// that it is divided by does.
std::vector<Finding> findings_of_readings(const Evidence& evidence) {
    std::vector<Finding> findings = retention_findings(evidence);
    for (Finding& finding : book_findings(evidence)) findings.push_back(std::move(finding));
    const auto& losses = evidence.recording.losses;
    const bool requests_lost = losses.ring_events > losses.ring_calls;
    if (requests_lost && lost_share(evidence.recording) > kTooMuchLost)
        for (Finding& finding : findings) finding.per_request.reset();
    return findings;
}

/// What goes on for ever comes first.
auto severity(const Finding& finding) {
    const double slope = finding.per_request ? finding.per_request->value : 0;
    return std::tuple(!endless(finding), finding.kind == FindingKind::kInconclusive,
                      endless(finding) ? -slope : -finding.bytes, finding.kind);
}

}  // namespace

double Evidence::least_book_growth() const {
    return std::max(1048576.0, 0.05 * anonymous_last);
}

double Evidence::material() const {
    return std::max(kMaterialBytes, kMaterialShare * anonymous_last);
}

Per Evidence::per() const {
    return recording.request_source == ledger::RequestSource::kEvery ? Per::kInterval
                                                                     : Per::kRequest;
}

const char* Evidence::unit() const {
    return per() == Per::kInterval ? "interval" : "request";
}

double lost_share(const Recording& recording) {
    const auto& losses = recording.losses;
    const std::uint64_t without_room =
        losses.map_full_events - std::min(losses.map_full_stacks, losses.map_full_events);
    const auto lost =
        static_cast<double>(losses.ring_events + without_room + losses.missed_programs);
    return lost == 0 ? 0 : lost / (lost + events_seen(recording));
}

std::string fall_text(const Fall& fall, const char* unit) {
    return fmt::format("fell from {} to {} at {} {}", bytes(fall.from), bytes(fall.to), unit,
                       grouped(static_cast<std::uint64_t>(fall.at_request)));
}

bool endless(const Finding& finding) {
    return (finding.kind == FindingKind::kLeak && finding.subkind != "once") ||
           (finding.kind == FindingKind::kCache && finding.subkind == "unbounded");
}

const char* kind_name(FindingKind kind) {
    switch (kind) {
        case FindingKind::kLeak:
            return "leak";
        case FindingKind::kCache:
            return "cache";
        case FindingKind::kRetention:
            return "retention";
        case FindingKind::kMapped:
            return "mapped";
        case FindingKind::kStack:
            return "stack";
        case FindingKind::kFile:
            return "file";
        case FindingKind::kWarmup:
            return "warmup";
        case FindingKind::kInconclusive:
            return "inconclusive";
    }
    return "inconclusive";
}

const char* confidence_name(Confidence confidence) {
    return confidence == Confidence::kDefinite   ? "definite"
           : confidence == Confidence::kProbable ? "probable"
                                                 : "possible";
}

std::vector<const Reading*> settled_readings(const Recording& recording) {
    std::vector<const Reading*> between, all;
    for (const Reading& reading : recording.readings) {
        all.push_back(&reading);
        if (reading.in_flight == 0) between.push_back(&reading);
    }
    // The first and the last of all must be among them, or growth would be cut short.
    const bool enough = between.size() >= kEnoughReadings && between.front() == all.front() &&
                        between.back() == all.back();
    return enough ? between : all;
}

Analysis analyze(const Recording& recording) {
    Summary summary = summarize(recording);
    std::vector<Finding> findings = find(recording, summary);
    return {std::move(summary), std::move(findings)};
}

std::vector<Finding> find(const Recording& recording, const Summary& summary) {
    const Evidence evidence = gather(recording, summary);
    std::vector<Finding> findings;
    if (recording.requests_completed >= kFewestRequests) {
        findings = findings_of_events(evidence);
        add_marked_leak(evidence, findings);
        for (Finding& finding : findings_of_readings(evidence))
            findings.push_back(std::move(finding));
    }
    if (auto finding = inconclusive(evidence, findings)) findings.push_back(std::move(*finding));
    std::stable_sort(findings.begin(), findings.end(),
                     [](const Finding& a, const Finding& b) { return severity(a) < severity(b); });
    return findings;
}

double unaccounted_growth(const Recording& recording, const std::vector<Finding>& findings) {
    const auto& readings = recording.readings;
    if (readings.empty()) return 0;
    auto rest = static_cast<double>(readings.back().books.total() - readings.front().books.total());
    const double growth = rest;
    for (const Finding& finding : findings) {
        if (finding.kind == FindingKind::kInconclusive) return 0;
        if (finding.kind != FindingKind::kFile && !finding.of_followed) rest -= finding.bytes;
    }
    return rest >= std::max(kUnaccountedBytes, kUnaccountedShare * growth) ? rest : 0;
}

std::string finding_id(const std::vector<Finding>& findings, std::size_t index) {
    const FindingKind kind = findings[index].kind;
    const auto before = findings.begin() + static_cast<std::ptrdiff_t>(index);
    const auto number = 1 + std::count_if(findings.begin(), before, [kind](const Finding& finding) {
                            return finding.kind == kind;
                        });
    return fmt::format("{}-{}", kind_name(kind), number);
}

std::vector<std::string> finding_ids(const std::vector<Finding>& findings) {
    std::vector<std::string> ids;
    ids.reserve(findings.size());
    std::map<FindingKind, int> numbers;
    for (const Finding& finding : findings)
        ids.push_back(fmt::format("{}-{}", kind_name(finding.kind), ++numbers[finding.kind]));
    return ids;
}

}  // namespace asrtrace::classify
