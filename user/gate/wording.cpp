// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/wording.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "user/base/path.h"
#include "user/base/quantity.h"
#include "user/report/names.h"

namespace asrtrace::gate {
namespace {

const char* request_word(const Subject& subject) {
    return subject.recording.request_source == ledger::RequestSource::kEvery ? "interval"
                                                                             : "request";
}

}  // namespace

std::string amount(const Subject& subject, Unit unit, double value) {
    switch (unit) {
        case Unit::kBytesPerRequest:
            return bytes(value) + " per " + request_word(subject);
        case Unit::kPercent:
            return fmt::format("{:.1f} %", value);
        case Unit::kBytes:
            break;
    }
    return bytes(value);
}

std::string check_name(const Check& check) {
    return std::string(info(check.rule).name) + (check.relative ? ", over the baseline" : "");
}

std::string check_text(const Subject& subject, const Check& check) {
    const auto put = [&](double value) { return amount(subject, info(check.rule).unit, value); };
    std::string text;
    if (check.measured) {
        text = put(check.measured->value);
        const auto& sure = check.measured->corrected;
        if (sure && sure->lo != check.measured->value)
            text += ", surely " + put(std::max(sure->lo, 0.0)) + " or more";
    }
    if (check.limit)
        text += (text.empty() ? "the limit is " : "; the limit is ") + put(*check.limit);
    if (check.baseline) text += ", the baseline " + put(*check.baseline);
    if (!check.reason.empty()) text += (text.empty() ? "" : "; ") + check.reason;
    return text;
}

std::string finding_text(const Subject& subject, std::size_t finding) {
    const auto& findings = subject.analysis.findings;
    std::string text = classify::finding_id(findings, finding);
    if (findings[finding].stacks.empty()) return text;
    const auto frames = report::frames_of(subject.recording, findings[finding].stacks.front());
    const auto* culprit = report::culprit_of(frames);
    if (culprit == nullptr) return text + ": [unknown]";
    return text + ": " + report::place_of(*culprit);
}

Listing listing(const Outcome& outcome) {
    constexpr std::size_t kMostOfARule = 20;
    std::map<std::pair<Rule, bool>, std::vector<const Check*>> by_limit;
    for (const Check& check : outcome.checks)
        by_limit[{check.rule, check.relative}].push_back(&check);
    Listing out;
    std::set<const Check*> left_out;
    for (auto& [limit, checks] : by_limit) {
        if (checks.size() <= kMostOfARule) continue;
        std::ranges::stable_sort(checks, std::greater(), &Check::verdict);
        const Verdict gravest = checks[kMostOfARule]->verdict;
        left_out.insert(checks.begin() + kMostOfARule, checks.end());
        out.rest.push_back(
            fmt::format("{} more of {}, {} at the worst (--json and --junit list them)",
                        grouped(checks.size() - kMostOfARule), check_name(*checks.front()),
                        verdict_name(gravest)));
    }
    for (const Check& check : outcome.checks)
        if (!left_out.contains(&check)) out.checks.push_back(&check);
    return out;
}

std::string suppression_text(const Suppression& suppression) {
    std::string text;
    if (!suppression.function.empty()) text += "function " + suppression.function;
    if (!suppression.module.empty())
        text += (text.empty() ? "module " : ", module ") + suppression.module;
    return text + ": " + suppression.reason + ", until " + day_text(suppression.expires);
}

std::string suppressed_text(const Shown& shown, const Tolerated& each) {
    const auto& finding = shown.subject.analysis.findings[each.finding];
    const std::string size = finding.per_request ? amount(shown.subject, Unit::kBytesPerRequest,
                                                          finding.per_request->value)
                                                 : bytes(finding.bytes);
    return finding_text(shown.subject, each.finding) + ", " + size + ", by " +
           suppression_text(shown.policy.suppressions[each.suppression]);
}

std::vector<std::string> stack_lines(const Subject& subject, std::size_t finding) {
    const auto& stacks = subject.analysis.findings[finding].stacks;
    std::vector<std::string> lines;
    if (stacks.empty()) return lines;
    for (const auto* frame : report::frames_of(subject.recording, stacks.front()))
        lines.push_back(report::place_of(*frame));
    return lines;
}

std::string correction_text(const Outcome& outcome) {
    return fmt::format(
        "stacks looked at: {}; 95 % intervals are widened {:.2f}-fold (Bonferroni), so that a "
        "wrong failure by chance is no likelier than 5 % in all",
        grouped(outcome.sites), widening(outcome.sites));
}

std::string subject_text(const Subject& subject) {
    const auto& recording = subject.recording;
    const std::string program(basename_of(recording.target.exe));
    return fmt::format("{}, {} {}s, {} tier", program.empty() ? "unknown program" : program,
                       grouped(recording.requests_completed), request_word(subject),
                       recording.overhead.tier.empty() ? "unknown" : recording.overhead.tier);
}

}  // namespace asrtrace::gate
