// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <nlohmann/json.hpp>

#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

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

Json steps(const soak::Verdict& verdict) {
    Json out = Json::array();
    for (const NextStep& step : next_steps(verdict))
        out.push_back({{"text", step.text}, {"commands", step.commands}});
    return out;
}

}  // namespace

std::string soak_json(const soak::Verdict& verdict) {
    Json out;
    out["schema"] = "asrtrace.soak/1";
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
    out["next"] = steps(verdict);
    return out.dump(2) + "\n";
}

}  // namespace asrtrace::report
