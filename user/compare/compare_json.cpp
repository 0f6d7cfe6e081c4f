// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <nlohmann/json.hpp>

#include "user/base/escape.h"
#include "user/compare/compare.h"
#include "user/report/names.h"

namespace asrtrace::compare {
namespace {

using Json = nlohmann::ordered_json;

Json stack(const Side& side, StackId id) {
    Json out = Json::array();
    for (const auto* frame : report::frames_of(side.recording, id))
        out.push_back({{"function", escape_invalid(report::function_of(*frame))},
                       {"file", escape_invalid(frame->file)},
                       {"line", frame->line},
                       {"module", escape_invalid(frame->module)}});
    return out;
}

Json rates(double base, double now) {
    return {{"base", base}, {"new", now}, {"delta", now - base}};
}

Json finding_id(const Side& side, const std::optional<std::size_t>& index) {
    return index ? Json(classify::finding_id(side.analysis.findings, *index)) : Json(nullptr);
}

Json finding(const Side& base, const Side& now, const FindingChange& change) {
    const Side& side = change.now ? now : base;
    const auto& from = side.analysis.findings[change.now ? *change.now : *change.base];
    Json out;
    out["kind"] = classify::kind_name(from.kind);
    out["base"] = finding_id(base, change.base);
    out["new"] = finding_id(now, change.now);
    out["bytes_per_request"] = rates(change.base_rate, change.now_rate);
    out["bytes"] = rates(change.base_bytes, change.now_bytes);
    out["stack"] = from.stacks.empty() ? Json::array() : stack(side, from.stacks.front());
    return out;
}

Json site(const Side& base, const Side& now, const SiteChange& change) {
    Json out;
    out["in_base"] = change.base.has_value();
    out["in_new"] = change.now.has_value();
    out["bytes_per_request"] = rates(change.base_rate, change.now_rate);
    out["outlived_bytes"] = {{"base", change.base_bytes}, {"new", change.now_bytes}};
    out["stack"] = change.now ? stack(now, *change.now) : stack(base, *change.base);
    return out;
}

Json damage(const Side& side) {
    Json out = Json::array();
    for (const auto& missing : side.recording.damage) out.push_back(escape_invalid(missing));
    return out;
}

}  // namespace

std::string compare_json(const Side& base, const Side& now, const Difference& difference) {
    Json out;
    out["schema"] = "asrtrace.diff/1";
    out["requests"] = {{"base", base.recording.requests_completed},
                       {"new", now.recording.requests_completed}};
    out["trace_damage"] = {{"base", damage(base)}, {"new", damage(now)}};
    out["findings"] = Json::array();
    for (const auto& change : difference.findings)
        out["findings"].push_back(finding(base, now, change));
    out["sites"] = Json::array();
    for (const auto& change : difference.sites) out["sites"].push_back(site(base, now, change));
    out["books"] = difference.books.empty() ? Json(nullptr) : Json::array();
    for (const auto& change : difference.books)
        out["books"].push_back({{"class", change.name},
                                {"last", {{"base", change.base_last}, {"new", change.now_last}}},
                                {"bytes_per_request", rates(change.base_rate, change.now_rate)}});
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace asrtrace::compare
