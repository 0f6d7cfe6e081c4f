// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <nlohmann/json.hpp>

#include "user/base/escape.h"
#include "user/gate/verdict.h"
#include "user/gate/wording.h"

namespace asrtrace::gate {
namespace {

using Json = nlohmann::ordered_json;

Json interval(const std::optional<Interval>& value) {
    return value ? Json::array({value->lo, value->hi}) : Json(nullptr);
}

Json number(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json finding(const Subject& subject, const std::optional<std::size_t>& index) {
    if (!index) return nullptr;
    return {{"id", classify::finding_id(subject.analysis.findings, *index)},
            {"text", escape_invalid(finding_text(subject, *index))}};
}

Json check(const Subject& subject, const Check& from) {
    const Measured measured = from.measured.value_or(Measured{});
    Json out;
    out["rule"] = info(from.rule).name;
    out["verdict"] = verdict_name(from.verdict);
    out["unit"] = info(from.rule).unit == Unit::kPercent ? "percent"
                  : info(from.rule).unit == Unit::kBytes ? "bytes"
                                                         : "bytes_per_request";
    out["limit"] = number(from.limit);
    out["over_baseline"] = from.relative;
    out["baseline"] = number(from.baseline);
    out["value"] = from.measured ? Json(measured.value) : Json(nullptr);
    out["ci95"] = interval(measured.ci95);
    out["corrected"] = interval(measured.corrected);
    out["finding"] = finding(subject, measured.finding);
    out["reason"] = from.reason.empty() ? Json(nullptr) : Json(escape_invalid(from.reason));
    return out;
}

Json suppression(const Suppression& from) {
    const auto text = [](const std::string& value) {
        return value.empty() ? Json(nullptr) : Json(escape_invalid(value));
    };
    return {{"function", text(from.function)},
            {"module", text(from.module)},
            {"reason", text(from.reason)},
            {"expires", day_text(from.expires)}};
}

Json suppressions(const Policy& policy, const std::vector<std::size_t>& which) {
    Json out = Json::array();
    for (const std::size_t each : which) out.push_back(suppression(policy.suppressions[each]));
    return out;
}

}  // namespace

std::string verdict_json(const Shown& shown) {
    const Outcome& outcome = shown.outcome;
    Json out;
    out["schema"] = "asrtrace.check/1";
    out["verdict"] = verdict_name(outcome.verdict);
    out["file"] = escape_invalid(shown.file);
    out["subject"] = escape_invalid(subject_text(shown.subject));
    out["violations"] = Json::array();
    out["checks"] = Json::array();
    for (const Check& each : outcome.checks) {
        out["checks"].push_back(check(shown.subject, each));
        if (each.verdict == Verdict::kFail) out["violations"].push_back(out["checks"].back());
    }
    out["suppressed"] = Json::array();
    for (const Tolerated& each : outcome.suppressed) {
        Json line = suppression(shown.policy.suppressions[each.suppression]);
        line["finding"] = finding(shown.subject, each.finding);
        out["suppressed"].push_back(std::move(line));
    }
    out["expired"] = suppressions(shown.policy, outcome.expired);
    out["suppresses_nothing"] = suppressions(shown.policy, outcome.idle);
    out["correction"] = {{"method", "bonferroni"},
                         {"sites", outcome.sites},
                         {"widening", widening(outcome.sites)},
                         {"levels", outcome.levels}};
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace asrtrace::gate
