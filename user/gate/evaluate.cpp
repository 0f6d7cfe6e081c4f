// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/evaluate.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>
#include <ranges>

#include "user/base/path.h"
#include "user/base/quantity.h"
#include "user/classify/culprit.h"
#include "user/report/names.h"

namespace asrtrace::gate {
namespace {

using classify::Finding;
using ledger::Recording;

constexpr std::array kFindingRules{Rule::kLeak, Rule::kCache, Rule::kMapped, Rule::kStack,
                                   Rule::kPlateau};
constexpr std::array kLevelRules{Rule::kRetained, Rule::kUnexplained, Rule::kPss,
                                 Rule::kPeakRssAnon};

/// A name may hold what a pattern takes for its own (Rust: drop<[u8]>): it fits itself.
bool fits(const std::string& pattern, const std::string& text) {
    return pattern.empty() || pattern == text || ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

/// With its arguments, or as reports print it.
bool fits_function(const std::string& pattern, const ledger::Frame& frame) {
    return fits(pattern, frame.function) ||
           fits(pattern, report::shorten_function(report::function_of(frame)));
}

/// Each of its stacks has a frame that fits.
bool fits(const Suppression& suppression, const Recording& recording, const Finding& finding) {
    const auto stack_fits = [&](StackId stack) {
        return std::ranges::any_of(
            classify::frames_of(recording, stack), [&](const ledger::Frame* frame) {
                return fits_function(suppression.function, *frame) &&
                       (fits(suppression.module, frame->module) ||
                        fits(suppression.module, std::string(basename_of(frame->module))));
            });
    };
    return !finding.stacks.empty() && std::ranges::all_of(finding.stacks, stack_fits);
}

/// Why growth per request cannot be told from this recording; empty if it can.
std::string thin_for_rates(const Subject& subject, const EvidenceAsked& asked) {
    const Recording& recording = subject.recording;
    if (!recording.totals_known || !recording.damage.empty()) return "the trace is damaged";
    if (recording.overhead.tier == "watch")
        return "the watch tier traces no allocations; record with --tier full";
    if (recording.overhead.tier == "sites" && !asked.sampling)
        return "the sites tier sees samples only and misses small leaks; record with --tier full";
    if (recording.overhead.tier == "auto" && !asked.sampling)
        return "allocations were seen in windows only (tier auto); record with --tier full";
    if (recording.requests_completed < asked.requests)
        return fmt::format("{} requests were seen, {} are asked for",
                           grouped(recording.requests_completed), grouped(asked.requests));
    if (const double lost = classify::lost_share(recording); lost > asked.lost_events)
        return fmt::format("{} of the events were lost, at most {} may be", percent(lost),
                           percent(asked.lost_events));
    if (const auto failed = recording.losses.attach_failed.size(); failed > asked.attach_failures)
        return fmt::format("{} probes could not be attached, at most {} may be missing", failed,
                           asked.attach_failures);
    for (const Finding& finding : subject.analysis.findings)
        if (finding.kind == classify::FindingKind::kInconclusive && !finding.evidence.empty())
            return finding.evidence.front();
    return {};
}

/// Why a level of the whole process cannot be told; empty if it can.
std::string thin_for_levels(const Subject& subject) {
    return subject.recording.damage.empty() ? "" : "the trace is damaged";
}

class Gate {
  public:
    Gate(const Subject& subject, const Subject* baseline, const Policy& policy, const Day& today)
        : subject_(subject), baseline_(baseline), policy_(policy) {
        outcome_.sites = sites_examined(subject.analysis);
        for (const Rule rule : kLevelRules) outcome_.levels += policy.limit(rule).given() ? 1 : 0;
        tolerate(today);
    }

    Outcome run() {
        for (const Rule rule : kFindingRules)
            if (policy_.limit(rule).given()) check_findings(rule);
        for (const Rule rule : kLevelRules)
            if (policy_.limit(rule).given()) check_level(rule);
        for (const Check& check : outcome_.checks)
            outcome_.verdict = std::max(outcome_.verdict, check.verdict);
        if (outcome_.verdict == Verdict::kPass && !outcome_.expired.empty())
            outcome_.verdict = Verdict::kWarn;
        if (outcome_.verdict == Verdict::kUnchecked) outcome_.verdict = Verdict::kInconclusive;
        return std::move(outcome_);
    }

  private:
    void tolerate(const Day& today) {
        const auto& findings = subject_.analysis.findings;
        std::vector<bool> taken(findings.size());
        for (std::size_t i = 0; i < policy_.suppressions.size(); ++i) {
            const Suppression& suppression = policy_.suppressions[i];
            if (suppression.expires < today) {
                outcome_.expired.push_back(i);
                continue;
            }
            bool used = false;
            for (std::size_t k = 0; k < findings.size(); ++k) {
                if (taken[k] || !fits(suppression, subject_.recording, findings[k])) continue;
                taken[k] = used = true;
                outcome_.suppressed.push_back({k, i});
            }
            if (!used) outcome_.idle.push_back(i);
        }
    }

    bool tolerated(const Measured& measured) const {
        return std::ranges::any_of(outcome_.suppressed, [&](const Tolerated& each) {
            return each.finding == measured.finding;
        });
    }

    void check_findings(Rule rule) {
        const std::string thin = thin_for_rates(subject_, policy_.evidence);
        auto all = measured_findings(subject_.analysis, rule, outcome_.sites);
        const auto suppressed =
            std::erase_if(all, [&](const Measured& measured) { return tolerated(measured); });
        // Nothing found is a figure too.
        if (all.empty()) all.push_back({.corrected = Interval{}});
        const auto known = baseline_findings(rule);
        const std::size_t first = outcome_.checks.size();
        for (const Measured& measured : all)
            check_both(rule, measured, thin, baseline_of(measured, known));
        if (suppressed == 0) return;
        for (std::size_t i = first; i < outcome_.checks.size(); ++i)
            if (auto& reason = outcome_.checks[i].reason; reason.empty())
                reason = fmt::format("not counting what is suppressed ({})", suppressed);
    }

    void check_level(Rule rule) {
        const auto fewest = static_cast<std::size_t>(policy_.evidence.readings);
        const auto level = measured_level(subject_.recording, rule, fewest, outcome_.levels);
        std::optional<Measured> base;
        if (baseline_ != nullptr)
            base = measured_level(baseline_->recording, rule, fewest, outcome_.levels);
        std::string thin = thin_for_levels(subject_);
        if (thin.empty() && !level)
            thin = rule == Rule::kPeakRssAnon
                       ? "memory was never sampled: the peak is not known"
                       : fmt::format("fewer than {} readings in the second half of the window",
                                     fewest);
        check_both(rule, level, thin, base);
    }

    /// What the baseline shows, by culprit; of equals the first.
    std::map<std::string, Measured> baseline_findings(Rule rule) const {
        std::map<std::string, Measured> known;
        if (baseline_ == nullptr) return known;
        for (const auto& measured :
             measured_findings(baseline_->analysis, rule, sites_examined(baseline_->analysis)))
            known.emplace(
                identity(baseline_->recording, baseline_->analysis.findings[*measured.finding]),
                measured);
        return known;
    }

    /// The finding of the same kind with the same culprit; a baseline that shows none shows 0.
    std::optional<Measured> baseline_of(const Measured& measured,
                                        const std::map<std::string, Measured>& known) const {
        if (baseline_ == nullptr) return std::nullopt;
        const Measured none{.corrected = Interval{}};
        if (!measured.finding) return none;
        const auto found =
            known.find(identity(subject_.recording, subject_.analysis.findings[*measured.finding]));
        return found == known.end() ? none : found->second;
    }

    void check_both(Rule rule, const std::optional<Measured>& measured, const std::string& thin,
                    const std::optional<Measured>& base) {
        const Limit& limit = policy_.limit(rule);
        if (limit.max) {
            Check check{.rule = rule, .limit = limit.max, .measured = measured};
            judge(check, thin);
        }
        if (!limit.over_baseline) return;
        Check check{.rule = rule, .relative = true, .measured = measured};
        if (baseline_ == nullptr) {
            check.reason = "no baseline was given";
            outcome_.checks.push_back(std::move(check));
            return;
        }
        if (base && base->corrected) {
            check.baseline = base->corrected->hi;
            check.limit =
                *check.baseline + std::max(limit.over_baseline->percent / 100 * *check.baseline,
                                           limit.over_baseline->floor);
        }
        judge(check, thin.empty() ? thin_baseline(check) : thin);
    }

    /// Why the baseline is nothing to compare with; empty if it is.
    std::string thin_baseline(const Check& check) const {
        const auto why = rule_is_rate(check.rule) ? thin_for_rates(*baseline_, policy_.evidence)
                                                  : thin_for_levels(*baseline_);
        if (!why.empty()) return "baseline: " + why;
        return check.limit ? "" : "the baseline does not show it";
    }

    static bool rule_is_rate(Rule rule) {
        return std::ranges::find(kFindingRules, rule) != kFindingRules.end();
    }

    void judge(Check& check, const std::string& thin) {
        if (!thin.empty()) {
            check.verdict = Verdict::kInconclusive;
            check.reason = thin;
        } else if (!check.measured->corrected) {
            check.verdict = Verdict::kInconclusive;
            check.reason = "too few points, or too uneven a growth, for an interval";
        } else if (check.measured->corrected->lo > *check.limit) {
            check.verdict = Verdict::kFail;
        } else if (check.measured->value > *check.limit) {
            judge_unsure(check);
        } else {
            check.verdict = Verdict::kPass;
        }
        outcome_.checks.push_back(std::move(check));
    }

    /// Above the limit, but perhaps by chance.
    static void judge_unsure(Check& check) {
        const bool rate = info(check.rule).unit == Unit::kBytesPerRequest;
        check.verdict = rate ? Verdict::kInconclusive : Verdict::kWarn;
        check.reason = check.rule == Rule::kPlateau
                           ? "a forecast; what is there already keeps the limit"
                       : rate ? "above the limit, but perhaps by chance: trace more requests"
                              : "above the limit, but perhaps by chance";
    }

    const Subject& subject_;
    const Subject* baseline_;
    const Policy& policy_;
    Outcome outcome_;
};

}  // namespace

const char* verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPass:
            return "PASS";
        case Verdict::kWarn:
            return "WARN";
        case Verdict::kInconclusive:
            return "INCONCLUSIVE";
        case Verdict::kFail:
            return "FAIL";
        case Verdict::kUnchecked:
            break;
    }
    return "UNCHECKED";
}

Outcome evaluate(const Subject& subject, const Subject* baseline, const Policy& policy,
                 const Day& today) {
    return Gate(subject, baseline, policy, today).run();
}

}  // namespace asrtrace::gate
