// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What outlives its request, by who allocated it: a leak if nothing points to it, a cache if
// something does, a warm-up if it came once.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "user/base/quantity.h"
#include "user/classify/culprit.h"
#include "user/classify/findings.h"
#include "user/classify/keyed.h"
#include "user/classify/series.h"

namespace asrtrace::classify {
namespace {

using ledger::SiteKind;

constexpr double kMostlyUnreachable = 0.5;
constexpr double kHardlyUnreachable = 0.05;
constexpr double kFewRetracted = 0.01;      ///< of what was called unreachable
constexpr std::uint64_t kFewestBlocks = 5;  ///< that a leak consists of
constexpr double kShareOfGrowth = 0.01;     ///< of what outlives requests: smaller caches are dust
constexpr double kRecycleBytes = 64 << 20;

/// One site and what is known of it.
struct Candidate {
    StackId stack;
    const SiteHistory* history = nullptr;
    Growth growth{};
    double unreachable = 0;        ///< share of its blocks when reachability was looked at last
    std::uint64_t late_freed = 0;  ///< in the second half of the window
    std::optional<Keyed> keyed{};
};

/// Sites of the same verdict with the same culprit are one finding.
struct Verdict {
    FindingKind kind = FindingKind::kWarmup;
    std::string subkind;
    Confidence confidence = Confidence::kProbable;
    auto operator<=>(const Verdict&) const = default;
};

class SiteJudge {
  public:
    explicit SiteJudge(const Evidence& evidence)
        : evidence_(evidence),
          recording_(evidence.recording),
          grid_(recording_.epochs),
          histories_(site_histories(recording_)) {}

    std::vector<Finding> run() {
        if (grid_.size() == 0) return {};
        std::map<std::tuple<Verdict, std::string>, std::vector<Candidate>> groups;
        for (const auto& [key, history] : histories_)
            if (key.first == SiteKind::kHeap) total_ += static_cast<double>(history.outlived_bytes);
        for (const auto& [key, history] : histories_) {
            if (key.first != SiteKind::kHeap || history.outlived_blocks == 0) continue;
            Candidate candidate = candidate_of(key.second, history);
            const auto verdict = judge(candidate);
            if (!verdict) continue;
            groups[{*verdict, group_name(*verdict, key.second)}].push_back(std::move(candidate));
        }
        std::vector<Finding> findings;
        for (auto& [key, members] : groups)
            if (auto finding = finding_of(std::get<0>(key), members))
                findings.push_back(std::move(*finding));
        return findings;
    }

  private:
    Candidate candidate_of(StackId stack, const SiteHistory& history) const {
        Candidate candidate{.stack = stack, .history = &history};
        candidate.growth = growth_of(grid_.points(history.changes), true);
        candidate.unreachable = unreachable_share(history);
        const std::uint64_t half = recording_.requests_completed / 2;
        for (const auto& [epoch, blocks] : history.late_freed)
            if (recording_.epochs[epoch].requests > half) candidate.late_freed += blocks;
        candidate.keyed =
            keyed_by_input(recording_.epochs, levels_of(history.blocks, recording_.epochs.size()));
        return candidate;
    }

    /// Of the blocks that had outlived their request when the last marking began.
    double unreachable_share(const SiteHistory& history) const {
        if (recording_.reach.empty() || history.unreachable_blocks == 0) return 0;
        double blocks = static_cast<double>(history.outlived_blocks);
        for (const auto& [epoch, level] : history.blocks)
            if (recording_.epochs[epoch].end_ns <= recording_.reach.back().t_ns)
                blocks = static_cast<double>(level);
        return std::min(1.0,
                        static_cast<double>(history.unreachable_blocks) / std::max(blocks, 1.0));
    }

    std::optional<Verdict> judge(const Candidate& candidate) const {
        const Growth& growth = candidate.growth;
        if (growth.shape == Shape::kNone) return std::nullopt;
        if (growth.shape == Shape::kRising || growth.shape == Shape::kSaturating)
            if (auto leak = judge_leak(candidate)) return leak;
        if (candidate.keyed && is_material(growth.gain)) return cache("keyed", candidate);
        if (growth.shape == Shape::kWarmup && candidate.late_freed == 0) return Verdict{};
        if (!is_material(growth.gain)) return std::nullopt;
        return cache(growth.shape == Shape::kRising ? "unbounded" : "bounded", candidate);
    }

    std::optional<Verdict> judge_leak(const Candidate& candidate) const {
        const SiteHistory& history = *candidate.history;
        if (candidate.unreachable >= kHardlyUnreachable &&
            history.unreachable_blocks >= kFewestBlocks) {
            const bool retracted = static_cast<double>(history.retracted_blocks) >
                                   kFewRetracted * static_cast<double>(history.unreachable_blocks);
            const bool definite = candidate.unreachable >= kMostlyUnreachable && !retracted;
            return Verdict{FindingKind::kLeak, "",
                           definite ? Confidence::kDefinite : Confidence::kProbable};
        }
        const bool never_freed = history.freed_blocks == 0 && candidate.late_freed == 0;
        if (recording_.reach.empty() && never_freed && !candidate.keyed &&
            candidate.growth.shape == Shape::kRising)
            return Verdict{FindingKind::kLeak, "", Confidence::kProbable};
        return std::nullopt;
    }

    Verdict cache(const char* subkind, const Candidate& candidate) const {
        const bool proven = !recording_.reach.empty() && candidate.history->retracted_blocks == 0;
        return {FindingKind::kCache, subkind,
                proven ? Confidence::kDefinite : Confidence::kProbable};
    }

    bool is_material(double gain) const {
        return gain >= std::max(16384.0, kShareOfGrowth * total_);
    }

    std::string group_name(const Verdict& verdict, StackId stack) const {
        if (verdict.kind == FindingKind::kWarmup) return {};
        const auto* culprit = culprit_of(frames_of(recording_, stack));
        if (culprit == nullptr) return std::to_string(stack.value);
        if (!culprit->function.empty()) return culprit->function + '\n' + culprit->module;
        return std::to_string(culprit->module_offset) + '\n' + culprit->module;
    }

    /// The levels of all members together.
    Growth sum_growth(const std::vector<Candidate>& members) const {
        if (members.size() == 1) return members.front().growth;
        std::vector<Point> sum;
        for (const Candidate& member : members) {
            const auto points = grid_.points(member.history->changes);
            if (sum.empty()) sum = std::vector<Point>(points.size());
            for (std::size_t i = 0; i < points.size(); ++i) {
                sum[i].x = points[i].x;
                sum[i].y += points[i].y;
            }
        }
        return growth_of(sum, true);
    }

    std::optional<Finding> finding_of(const Verdict& verdict,
                                      std::vector<Candidate>& members) const {
        std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
            return a.history->outlived_bytes > b.history->outlived_bytes;
        });
        const Growth growth = sum_growth(members);
        if (verdict.kind == FindingKind::kWarmup && growth.gain < evidence_.material())
            return std::nullopt;
        Finding finding;
        finding.kind = verdict.kind;
        finding.subkind = verdict.subkind;
        finding.confidence = verdict.confidence;
        for (const Candidate& member : members) {
            finding.bytes += static_cast<double>(member.history->outlived_bytes);
            finding.stacks.push_back(member.stack);
        }
        const bool goes_on = verdict.kind == FindingKind::kLeak || growth.shape == Shape::kRising;
        if (goes_on) finding.per_request = growth.slope;
        if (verdict.subkind == "bounded") finding.forecast = growth.forecast;
        explain(members, growth, finding);
        return finding;
    }

    void explain(const std::vector<Candidate>& members, const Growth& growth,
                 Finding& finding) const {
        std::uint64_t blocks = 0, unreachable = 0, retracted = 0, late = 0;
        for (const Candidate& member : members) {
            blocks += member.history->outlived_blocks;
            unreachable += member.history->unreachable_blocks;
            retracted += member.history->retracted_blocks;
            late += member.late_freed;
        }
        auto& lines = finding.evidence;
        lines.push_back(fmt::format("{} blocks of {} outlived their {}", grouped(blocks),
                                    bytes(finding.bytes), evidence_.unit()));
        if (recording_.reach.empty())
            lines.emplace_back("whether anything points to them was not looked at");
        else if (unreachable != 0)
            lines.push_back(fmt::format("nothing points to {} of them", grouped(unreachable)));
        else
            lines.emplace_back("something still points to them");
        if (retracted != 0)
            lines.push_back(
                fmt::format("{} that nothing seemed to point to were freed later: their "
                            "pointers are hidden",
                            grouped(retracted)));
        if (late != 0)
            lines.push_back(fmt::format("{} older ones were freed in the second half of the window",
                                        grouped(late)));
        if (finding.kind == FindingKind::kWarmup)
            lines.push_back(fmt::format("nearly all came in the first {:.0f} {}s, none since",
                                        growth.settled_at, evidence_.unit()));
        advise(members.front(), growth, finding);
    }

    void advise(const Candidate& largest, const Growth& growth, Finding& finding) const {
        const double slope = growth.slope ? growth.slope->value : 0;
        const std::string unit = evidence_.unit();
        if (finding.subkind == "keyed" && largest.keyed) {
            finding.evidence.push_back(fmt::format(
                "{:.1f} blocks for each of {} different inputs (covariate {}), not for each {}",
                largest.keyed->blocks_per_value, grouped(largest.keyed->distinct),
                largest.keyed->covariate + 1, unit));
            finding.advice = fmt::format(
                "bound the cache, or round inputs to fewer different ones: each costs {}",
                bytes(finding.bytes / static_cast<double>(largest.keyed->distinct)));
        } else if (finding.subkind == "bounded" && growth.forecast) {
            finding.advice = fmt::format("none needed if {} is affordable: it comes to rest there",
                                         bytes(growth.forecast->plateau_bytes));
        } else if (finding.kind == FindingKind::kLeak && slope > 0) {
            finding.advice = fmt::format(
                "free what this stack allocates; until then a restart every {} {}s loses no more "
                "than {}",
                grouped(static_cast<std::uint64_t>(kRecycleBytes / slope)), unit,
                bytes(kRecycleBytes));
        } else if (finding.subkind == "unbounded" && slope > 0) {
            finding.advice = fmt::format("bound it: it grows by {} in 1,000 {}s and never stops",
                                         bytes(slope * 1000), unit);
        }
    }

    const Evidence& evidence_;
    const ledger::Recording& recording_;
    Grid grid_;
    std::map<SiteKey, SiteHistory> histories_;
    double total_ = 0;  ///< bytes that outlived their request
};

}  // namespace

std::vector<Finding> site_findings(const Evidence& evidence) {
    return SiteJudge(evidence).run();
}

}  // namespace asrtrace::classify
