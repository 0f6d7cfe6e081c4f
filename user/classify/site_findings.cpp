// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What outlives its request, by who allocated it: a leak if nothing points to it, a cache if
// something does, a warm-up if it came once.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "user/base/quantity.h"
#include "user/classify/culprit.h"
#include "user/classify/findings.h"
#include "user/classify/keyed.h"
#include "user/classify/rest.h"
#include "user/classify/series.h"

namespace asrtrace::classify {
namespace {

using ledger::SiteKind;

constexpr double kMostlyUnreachable = 0.5;
constexpr double kHardlyUnreachable = 0.05;
constexpr double kAllUnreachable = 0.9;     ///< marking misses a few: stale words point to them
constexpr double kReachablePart = 0.2;      ///< of a site that leaks: more of it are no stale words
constexpr double kFewRetracted = 0.01;      ///< of what was called unreachable
constexpr std::uint64_t kFewestBlocks = 5;  ///< that a leak consists of
constexpr double kShareOfGrowth = 0.01;     ///< of what outlives requests: smaller caches are dust
constexpr double kFewestCacheBytes = 16384;
constexpr double kMostOfGrowth = 0.5;
constexpr double kReplacedShare = 0.5;
constexpr std::size_t kFewestSamples = 10;  ///< of a cache: fewer fall on new inputs by chance
constexpr double kBegunAfter = 1.0 / 3;  ///< of the requests: what grew all the time begins earlier
constexpr double kStoppedBy = 0.8;       ///< of the requests
constexpr double kRecycleBytes = 64 << 20;

/// One site, or several of one culprit, and what is known of them.
struct Candidate {
    SiteList sites;  ///< most bytes first
    Growth growth{};
    std::vector<double> blocks;    ///< outlived, at the end of each epoch
    double unreachable = 0;        ///< share of its blocks when reachability was looked at last
    std::uint64_t late_freed = 0;  ///< in the second half of the window
    double share = 1;              ///< of all its bytes: growth and blocks are of this part
    bool followed = false;         ///< held by followed children, whose heaps nobody reads

    /// Over all sites.
    std::uint64_t sum(std::uint64_t SiteHistory::*part) const {
        std::uint64_t total = 0;
        for (const auto& [stack, history] : sites) total += history->*part;
        return total;
    }
};

/// Sites of the same verdict with the same culprit are one finding.
struct Verdict {
    FindingKind kind = FindingKind::kWarmup;
    Confidence confidence = Confidence::kProbable;
    auto operator<=>(const Verdict&) const = default;
};

/// How far a measured level moves from reading to reading: the median. At least two points.
double usual_step(const std::vector<Point>& points) {
    std::vector<double> steps;
    for (std::size_t i = 1; i < points.size(); ++i)
        steps.push_back(std::abs(points[i].y - points[i - 1].y));
    const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
    std::nth_element(steps.begin(), middle, steps.end());
    return *middle;
}

class SiteJudge {
  public:
    explicit SiteJudge(const Evidence& evidence)
        : evidence_(evidence),
          recording_(evidence.recording),
          grid_(recording_),
          own_(site_histories(recording_, Holders::kTarget)),
          followed_(site_histories(recording_, Holders::kFollowed)),
          apportioned_(recording_.overhead.tier == "auto"),
          sampled_(recording_.overhead.tier == "sites") {}

    std::vector<Finding> run() {
        if (grid_.size() == 0) return {};
        for (const auto* histories : {&own_, &followed_})
            for (const auto& [key, history] : *histories)
                if (key.first == SiteKind::kHeap)
                    total_ += static_cast<double>(history.outlived_bytes);
        Groups groups;
        for (const auto* histories : {&own_, &followed_}) add_groups(*histories, groups);
        // Leaks come first in the order of verdicts.
        std::vector<Finding> findings;
        double leaked = 0;
        for (auto& [key, members] : groups) {
            const Verdict& verdict = std::get<0>(key);
            Candidate all = together(members);
            if (is_dust(verdict, all)) continue;
            all.growth.slope = slope_of_growth(points_of(all), all.growth, true);
            for (const auto& [part, what] : parts_of(verdict, all)) {
                const bool no_more = heap_holds_no_more(part, what, leaked);
                if (no_more && replaces_older(what)) continue;
                auto finding = finding_of(part, what);
                if (!finding) continue;
                if (no_more && sampled_) doubt_growth(*finding);
                if (finding->kind == FindingKind::kLeak && !what.followed) leaked += finding->bytes;
                findings.push_back(std::move(*finding));
            }
        }
        return findings;
    }

  private:
    /// By verdict and culprit, those of followed children apart.
    using Groups = std::map<std::tuple<Verdict, std::string, bool>, std::vector<Candidate>>;

    void add_groups(const std::map<SiteKey, SiteHistory>& histories, Groups& groups) const {
        for (const auto& [key, history] : histories) {
            if (key.first != SiteKind::kHeap || history.outlived_blocks == 0) continue;
            // Growth of sizes that no window saw: the books have it, who made it is not known.
            if (apportioned_ && key.second == kUnknownStack) continue;
            Candidate candidate = candidate_of(key.second, history);
            candidate.followed = &histories == &followed_;
            const auto verdict = judge(candidate);
            if (!verdict) continue;
            groups[{*verdict, group_name(*verdict, key.second), candidate.followed}].push_back(
                std::move(candidate));
        }
    }

    /// Whether anything points to its blocks was looked at.
    bool looked_at(const Candidate& candidate) const {
        return !candidate.followed && !recording_.reach.empty();
    }

    Candidate candidate_of(StackId stack, const SiteHistory& history) const {
        Candidate candidate{.sites = {{stack, &history}}, .blocks = {}};
        candidate.growth = shape_of_growth(points_of(candidate), true, evidence_.per());
        candidate.blocks = levels_of(history.blocks, recording_.epochs.size());
        candidate.unreachable = unreachable_share(history);
        const std::uint64_t half = recording_.requests_completed / 2;
        for (const auto& [epoch, blocks] : history.late_freed)
            if (recording_.epochs[epoch].requests > half) candidate.late_freed += blocks;
        return candidate;
    }

    /// What its sites hold, added up.
    std::vector<Point> points_of(const Candidate& candidate) const {
        std::vector<Point> sum;
        for (const auto& [stack, history] : candidate.sites) {
            const auto points = grid_.points(history->changes);
            sum.resize(points.size());
            for (std::size_t i = 0; i < points.size(); ++i)
                sum[i] = {points[i].x, sum[i].y + points[i].y};
        }
        return sum;
    }

    /// All members as one.
    Candidate together(std::vector<Candidate>& members) const {
        if (members.size() == 1) return std::move(members.front());
        Candidate all;
        all.followed = members.front().followed;
        for (const Candidate& member : members) {
            all.sites.push_back(member.sites.front());
            all.late_freed += member.late_freed;
            all.blocks.resize(member.blocks.size());
            for (std::size_t i = 0; i < member.blocks.size(); ++i)
                all.blocks[i] += member.blocks[i];
        }
        std::stable_sort(all.sites.begin(), all.sites.end(), [](const auto& a, const auto& b) {
            return a.second->outlived_bytes > b.second->outlived_bytes;
        });
        all.growth = shape_of_growth(points_of(all), true, evidence_.per());
        return all;
    }

    /// Too little to tell of.
    bool is_dust(const Verdict& verdict, const Candidate& all) const {
        const double gain = all.growth.gain;
        const bool once = verdict.kind != FindingKind::kCache && all.growth.shape == Shape::kWarmup;
        if (once && gain < evidence_.material()) return true;
        const std::uint64_t unreachable = all.sum(&SiteHistory::unreachable_blocks);
        const bool few_lost = unreachable != 0 && unreachable < kFewestBlocks;
        return (verdict.kind == FindingKind::kCache || few_lost) &&
               gain < std::max(kFewestCacheBytes, kShareOfGrowth * total_);
    }

    /// Blocks that take the place of others from before the attach look like growth: their births
    /// were seen, the births of what they replaced were not. The books tell: the heap holds no
    /// more. What is unreachable replaces nothing, nor does what is a share of the books' growth.
    bool heap_holds_no_more(const Verdict& verdict, const Candidate& all, double leaked) const {
        const bool grows =
            verdict.kind == FindingKind::kCache ||
            (verdict.kind == FindingKind::kLeak && all.sum(&SiteHistory::unreachable_blocks) == 0);
        const auto points = reading_points(
            recording_, [](const ledger::Reading& reading) { return reading.books.heap_live; });
        if (!grows || apportioned_ || all.followed || points.size() < 2) return false;
        const double gain = growth_of(points).gain + usual_step(points) - leaked;
        return gain < kReplacedShare * all.growth.gain;
    }

    /// As many blocks were freed whose births were not seen.
    bool replaces_older(const Candidate& all) const {
        return static_cast<double>(recording_.counts.freed_unknown_blocks) >=
               kReplacedShare * static_cast<double>(all.sum(&SiteHistory::outlived_blocks));
    }

    /// Where allocations are sampled, the frees of blocks from before the attach are not counted.
    void doubt_growth(Finding& finding) const {
        finding.confidence = Confidence::kPossible;
        finding.per_request.reset();
        finding.forecast.reset();
        finding.evidence.emplace_back(
            "the heap as a whole holds hardly more: these may have taken the place of older "
            "blocks");
        finding.advice = "trace with --tier full: it tells whether as many older blocks are freed";
    }

    /// A level when the last marking began: what has outlived its request since was not looked at.
    double at_marking(const Changes& changes) const {
        auto level = static_cast<double>(changes.back().second);
        for (const auto& [epoch, value] : changes)
            if (recording_.epochs[epoch].end_ns <= recording_.reach.back().t_ns)
                level = static_cast<double>(value);
        return level;
    }

    double unreachable_share(const SiteHistory& history) const {
        if (recording_.reach.empty() || history.unreachable_blocks == 0) return 0;
        return std::min(1.0, static_cast<double>(history.unreachable_blocks) /
                                 std::max(at_marking(history.blocks), 1.0));
    }

    /// A site may lose some blocks and keep others: the leak is what is lost, the rest is a cache.
    std::vector<std::pair<Verdict, Candidate>> parts_of(const Verdict& verdict,
                                                        const Candidate& all) const {
        const auto lost = static_cast<double>(all.sum(&SiteHistory::unreachable_bytes));
        if (verdict.kind != FindingKind::kLeak || lost == 0 || recording_.reach.empty())
            return {{verdict, all}};
        double known = 0;
        auto reachable = -static_cast<double>(all.sum(&SiteHistory::unreachable_blocks));
        for (const auto& [stack, history] : all.sites) {
            known += at_marking(history->changes);
            reachable += at_marking(history->blocks);
        }
        const double share = std::min(1.0, lost / std::max(known, 1.0));
        if (share >= kAllUnreachable || reachable < kFewestBlocks) return {{verdict, all}};
        const bool apart = 1 - share >= kReachablePart;
        std::vector<std::pair<Verdict, Candidate>> parts{
            {verdict, apart ? part_of(all, share) : all}};
        // From what nothing points to, to all of it: stale words may point to the rest.
        if (auto& slope = parts.front().second.growth.slope; slope && slope->ci95)
            slope->ci95 = Interval{all.growth.slope->ci95->lo * share, all.growth.slope->ci95->hi};
        if (apart && !sampled_ && !apportioned_)
            parts.emplace_back(rest_of(all), part_of(all, 1 - share));
        return parts;
    }

    static Verdict rest_of(const Candidate& all) {
        return all.growth.shape == Shape::kWarmup
                   ? Verdict{}
                   : Verdict{FindingKind::kCache, Confidence::kProbable};
    }

    static Candidate part_of(Candidate all, double share) {
        all.share = share;
        all.growth.gain *= share;
        if (all.growth.forecast) all.growth.forecast->plateau_bytes *= share;
        if (auto& slope = all.growth.slope) {
            slope->value *= share;
            if (slope->ci95)
                slope->ci95 = Interval{slope->ci95->lo * share, slope->ci95->hi * share};
        }
        for (double& blocks : all.blocks) blocks *= share;
        return all;
    }

    std::optional<Verdict> judge(const Candidate& candidate) const {
        const Growth& growth = candidate.growth;
        if (growth.shape == Shape::kNone) return std::nullopt;
        const bool once = growth.shape == Shape::kWarmup;
        if (auto leak = judge_leak(candidate)) {
            if (!once) return leak;
            if (came_lost(candidate)) return Verdict{FindingKind::kLeak, Confidence::kProbable};
        }
        const bool keyed = keyed_by_input(recording_.epochs, candidate.blocks).has_value();
        if (once && candidate.late_freed == 0 && !keyed) return Verdict{};
        return Verdict{FindingKind::kCache, Confidence::kDefinite};
    }

    /// What the first requests left behind, and most of it, and no few blocks, were lost.
    static bool came_lost(const Candidate& candidate) {
        return candidate.unreachable >= kMostlyUnreachable &&
               candidate.sum(&SiteHistory::unreachable_blocks) >= kFewestBlocks;
    }

    std::optional<Verdict> judge_leak(const Candidate& candidate) const {
        const SiteHistory& history = *candidate.sites.front().second;
        const bool retracted = static_cast<double>(history.retracted_blocks) >
                               kFewRetracted * static_cast<double>(history.unreachable_blocks);
        const bool mostly = candidate.unreachable >= kMostlyUnreachable;
        // A few may be of hidden pointers, but what they are of is no cache that comes to rest.
        const bool few = history.unreachable_blocks < kFewestBlocks;
        if (few ? mostly && !retracted : candidate.unreachable >= kHardlyUnreachable) {
            const bool definite = mostly && !retracted && !few;
            return Verdict{FindingKind::kLeak,
                           definite ? Confidence::kDefinite : Confidence::kProbable};
        }
        const bool never_freed = history.freed_blocks == 0 && candidate.late_freed == 0;
        if (!looked_at(candidate) && never_freed && candidate.growth.shape == Shape::kRising &&
            !keyed_by_input(recording_.epochs, candidate.blocks))
            return Verdict{FindingKind::kLeak, Confidence::kProbable};
        return std::nullopt;
    }

    std::string group_name(const Verdict& verdict, StackId stack) const {
        if (verdict.kind == FindingKind::kWarmup) return {};
        const auto* culprit = culprit_of(frames_of(recording_, stack));
        if (culprit == nullptr) return std::to_string(stack.value);
        if (!culprit->function.empty()) return culprit->function + '\n' + culprit->module;
        return std::to_string(culprit->module_offset) + '\n' + culprit->module;
    }

    std::optional<Finding> finding_of(const Verdict& verdict, const Candidate& all) const {
        if (is_dust(verdict, all)) return std::nullopt;
        Finding finding;
        finding.kind = verdict.kind;
        finding.confidence = verdict.confidence;
        finding.of_followed = all.followed;
        finding.bytes =
            std::round(all.share * static_cast<double>(all.sum(&SiteHistory::outlived_bytes)));
        for (const auto& [stack, history] : all.sites) finding.stacks.push_back(stack);
        explain(all, finding);
        if (finding.kind == FindingKind::kCache) describe_cache(all, finding);
        if (finding.kind == FindingKind::kCache && all.growth.fall) {
            finding.evidence.push_back(fall_text(*all.growth.fall, evidence_.unit()));
            finding.per_request.reset();
            leave_open(finding);
        }
        if (finding.kind == FindingKind::kLeak) describe_leak(all, finding);
        return finding;
    }

    void explain(const Candidate& all, Finding& finding) const {
        auto& lines = finding.evidence;
        lines.push_back(fmt::format(
            "{} blocks of {} outlived their {}", grouped(all.sum(&SiteHistory::outlived_blocks)),
            bytes(all.sum(&SiteHistory::outlived_bytes)), evidence_.unit()));
        const std::uint64_t unreachable = all.sum(&SiteHistory::unreachable_blocks);
        if (all.followed)
            lines.emplace_back(
                "followed children hold them: whether anything points to them was not looked at");
        else if (recording_.reach.empty())
            lines.emplace_back("whether anything points to them was not looked at");
        else if (unreachable != 0)
            lines.push_back(fmt::format("nothing points to {} of them", grouped(unreachable)));
        else
            lines.emplace_back("something still points to them");
        if (all.share < 1)
            lines.push_back(fmt::format(
                "something points to the others; counted here {} of all, {}", percent(all.share),
                finding.kind == FindingKind::kLeak ? "the share that nothing points to"
                                                   : "the share of these others"));
        if (const std::uint64_t retracted = all.sum(&SiteHistory::retracted_blocks))
            lines.push_back(
                fmt::format("{} that nothing seemed to point to were freed later: their "
                            "pointers are hidden",
                            grouped(retracted)));
        if (all.late_freed != 0)
            lines.push_back(fmt::format("{} older ones were freed in the second half of the window",
                                        grouped(all.late_freed)));
        if (finding.kind == FindingKind::kWarmup)
            lines.push_back(fmt::format("nearly all came in the first {:.0f} {}s, none since",
                                        all.growth.settled_at, evidence_.unit()));
    }

    void describe_leak(const Candidate& all, Finding& finding) const {
        const bool stopped = tell_when(all.growth, finding);
        if (all.growth.shape == Shape::kWarmup) finding.subkind = "once";
        finding.per_request = all.growth.slope;
        if (finding.per_request && finding.per_request->value <= 0) return;
        finding.advice = "free what this stack allocates";
        if (!finding.per_request) return;
        if (finding.per_request->ci95 && !finding.per_request->rises()) {
            finding.evidence.emplace_back("the growth was too uneven for a rate");
            finding.per_request.reset();
        } else if (!stopped) {
            finding.advice += fmt::format(
                "; until then a restart every {} {}s loses no more than {}",
                grouped(static_cast<std::uint64_t>(kRecycleBytes / finding.per_request->value)),
                evidence_.unit(), bytes(kRecycleBytes));
        }
    }

    /// Growth that began or ended within the window; true if it ended.
    bool tell_when(const Growth& growth, Finding& finding) const {
        const auto at = [](double requests) {
            return grouped(static_cast<std::uint64_t>(requests));
        };
        const bool stopped =
            growth.shape != Shape::kRising && growth.settled_at <= kStoppedBy * evidence_.requests;
        if (growth.begun_at >= kBegunAfter * evidence_.requests)
            finding.evidence.push_back(fmt::format("hardly any of them came before {} {}",
                                                   evidence_.unit(), at(growth.begun_at)));
        if (stopped)
            finding.evidence.push_back(fmt::format("hardly any of them came after {} {}",
                                                   evidence_.unit(), at(growth.settled_at)));
        return stopped;
    }

    void describe_cache(const Candidate& all, Finding& finding) const {
        const Growth& growth = all.growth;
        if (growth.shape == Shape::kRising) finding.per_request = growth.slope;
        if (!looked_at(all) || all.sum(&SiteHistory::retracted_blocks) != 0 || apportioned_)
            finding.confidence = Confidence::kProbable;
        if (sampled_ && rises_of(all.sites) < kFewestSamples) {
            finding.subkind = growth.shape == Shape::kRising ? "unbounded" : "bounded";
            return leave_open(finding);
        }
        if (const auto keyed = keyed_by_input(recording_.epochs, all.blocks)) {
            finding.evidence.push_back(fmt::format(
                "{:.1f} blocks for each of {} different inputs (covariate {}), not for each {}",
                keyed->blocks_per_value, grouped(keyed->distinct), keyed->covariate + 1,
                evidence_.unit()));
            return describe_keyed(all, keyed->distinct, finding);
        }
        const bool most = finding.bytes >= kMostOfGrowth * total_;
        if (const auto by_input = most ? new_inputs_cost(recording_) : std::nullopt) {
            finding.evidence.push_back(fmt::format(
                "{}s with a new input (covariate {}) leave {} behind, those that repeat a recent "
                "one {}",
                evidence_.unit(), by_input->covariate + 1, bytes(by_input->new_bytes),
                bytes(by_input->repeated_bytes)));
            return describe_keyed(all, by_input->distinct, finding);
        }
        const bool goes_on = growth.shape == Shape::kRising;
        finding.subkind = goes_on ? "unbounded" : "bounded";
        finding.forecast = growth.forecast;
        if (goes_on) {
            finding.advice = fmt::format(
                "bound it: it grows by {} in 1,000 {}s and did not stop while it was traced",
                bytes(growth.slope->value * 1000), evidence_.unit());
        } else if (growth.shape == Shape::kSaturating && !evicts(all) && may_go_on(all)) {
            leave_open(finding);
        } else if (growth.forecast) {
            finding.advice = fmt::format("none needed if {} is affordable: it comes to rest there",
                                         bytes(growth.forecast->plateau_bytes));
            if (evidence_.per() == Per::kInterval && !evicts(all)) doubt_rest(finding);
        }
    }

    static void leave_open(Finding& finding) {
        finding.forecast.reset();
        finding.confidence = Confidence::kPossible;
        finding.advice = "trace for longer: whether it goes on is not decided yet";
    }

    static void doubt_rest(Finding& finding) {
        finding.confidence = std::max(finding.confidence, Confidence::kProbable);
        finding.evidence.emplace_back(
            "intervals do not tell whether it was the growth that came to rest, or the work");
    }

    /// Full, and as it rests blocks come and go.
    bool evicts(const Candidate& all) const {
        return freed_after(recording_, all.sites, all.growth.settled_at) >= kFewestBlocks;
    }

    /// Nothing says that it has come to rest.
    bool may_go_on(const Candidate& all) const {
        return !all.growth.forecast ||
               rests_by_chance(all.sites, all.growth.settled_at, evidence_.requests) ||
               steps_grow(all.sites.front().second->changes);
    }

    void describe_keyed(const Candidate& all, std::uint64_t distinct, Finding& finding) const {
        finding.subkind = "keyed";
        finding.forecast = all.growth.forecast;
        finding.advice = fmt::format(
            "bound the cache, or round inputs to fewer different ones: the {} so far hold {}",
            grouped(distinct), bytes(finding.bytes));
    }

    const Evidence& evidence_;
    const ledger::Recording& recording_;
    Grid grid_;
    std::map<SiteKey, SiteHistory> own_, followed_;
    bool apportioned_;  ///< sites were seen in windows, and share out the growth of the heap
    bool sampled_;      ///< allocations were sampled by bytes
    double total_ = 0;  ///< bytes that outlived their request
};

}  // namespace

std::vector<Finding> site_findings(const Evidence& evidence) {
    return SiteJudge(evidence).run();
}

}  // namespace asrtrace::classify
