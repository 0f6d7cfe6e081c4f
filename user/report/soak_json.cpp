// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <utility>

#include "user/report/json_text.h"
#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

constexpr const char* kSchema = "asrtrace.soak/1";

using Json = nlohmann::ordered_json;

Json check(const soak::Check& from) {
    return {{"verdict", soak::grade_name(from.grade)},
            {"change_kb", from.change},
            {"pass_limit_kb", from.pass_limit},
            {"warn_limit_kb", from.warn_limit}};
}

Json windows(const soak::Verdict& verdict) {
    Json out;
    for (const soak::WindowMedians& from : verdict.windows) {
        Json window = {{"begin", from.window.begin}, {"end", from.window.end}, {"rows", from.rows}};
        for (const soak::Column& column : soak::kColumns)
            if (column.value != &soak::Row::ts)
                window[std::string(column.name)] = from.median.*column.value;
        out[std::string(from.window.name)] = std::move(window);
    }
    return out;
}

Json steps(const soak::Verdict& verdict, const SoakFacts* facts) {
    Json out = Json::array();
    for (const NextStep& step : next_steps(verdict, facts))
        out.push_back({{"text", step.text}, {"commands", step.commands}});
    return out;
}

Json latency(const load::Latencies& from) {
    if (from.count() == 0) return nullptr;
    return {{"answers", from.count()},
            {"p50", from.percentile(50)},
            {"p95", from.percentile(95)},
            {"p99", from.percentile(99)},
            {"max", from.most()}};
}

Json requests(const SoakFacts& facts) {
    const load::Tally& tally = facts.tally;
    Json by_status = Json::object();
    for (const auto& [status, count] : tally.by_status) by_status[std::to_string(status)] = count;
    return {{"sent", tally.requests},
            {"answered", tally.all.count()},
            {"failed", tally.failed()},
            {"unsent", facts.unsent},
            {"by_status", std::move(by_status)},
            {"first_error", tally.first_error},
            {"rate_planned", facts.rate},
            {"rate", tally.mean_rate()},
            {"most_late_ms", tally.most_late_ms},
            {"latency_ms", latency(tally.all)},
            {"latency_early_ms", latency(tally.early)},
            {"latency_late_ms", latency(tally.late)}};
}

void put_facts(Json& out, const SoakFacts* facts) {
    out["requests"] = facts != nullptr ? requests(*facts) : nullptr;
    out["oom_kills"] = facts == nullptr ? Json()
                                        : Json{{"machine", facts->machine_oom_kills},
                                               {"cgroup", facts->cgroup_oom_kills}};
    out["events"] = facts != nullptr ? Json(facts->events) : Json();
}

}  // namespace

std::string soak_json(const soak::Verdict& verdict, const SoakFacts* facts) {
    Json out;
    out["schema"] = kSchema;
    out["overall"] = soak::grade_name(verdict.overall);
    out["pss"] = soak::grade_name(verdict.pss.grade);
    out["rss_anon"] = soak::grade_name(verdict.rss_anon.grade);
    out["mem_available"] = soak::grade_name(verdict.mem_available.grade);
    out["swap"] = soak::grade_name(verdict.swap);
    out["pattern"] = soak::pattern_name(verdict.pattern);
    out["windows"] = windows(verdict);
    Json available = check(verdict.mem_available);
    available["pass_floor_kb"] = verdict.available_floors.pass;
    available["warn_floor_kb"] = verdict.available_floors.warn;
    out["checks"] = {
        {"pss", check(verdict.pss)},
        {"rss_anon", check(verdict.rss_anon)},
        {"mem_available", std::move(available)},
        {"swap", {{"verdict", soak::grade_name(verdict.swap)}, {"most_kb", verdict.most_swap}}}};
    out["rows"] = verdict.rows;
    out["seconds"] = verdict.seconds;
    put_facts(out, facts);
    out["why"] = facts != nullptr && facts->traced ? Json(facts->why) : Json();
    out["next"] = steps(verdict, facts);
    return json_text(std::move(out));
}

std::string soak_json_without_verdict(const std::string& reason, const SoakFacts& facts) {
    Json out;
    out["schema"] = kSchema;
    out["overall"] = nullptr;
    out["reason"] = reason;
    put_facts(out, &facts);
    return json_text(std::move(out));
}

}  // namespace asrtrace::report
