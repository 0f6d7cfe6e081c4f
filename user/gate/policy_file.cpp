// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A policy out of TOML. toml11 throws; nothing but an Error leaves this file.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <toml.hpp>

#include "user/gate/policy.h"

namespace asrtrace::gate {
namespace {

using Value = toml::value;

/// Carries the message out to parse_policy.
struct BadPolicy : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void refuse(const Value& at, const std::string& why) {
    throw BadPolicy(fmt::format("line {}: {}", at.location().line(), why));
}

const toml::table& table_of(const Value& value, const std::string& name) {
    if (!value.is_table()) refuse(value, name + " is no table");
    return value.as_table();
}

void only_keys(const toml::table& table, std::initializer_list<std::string_view> known,
               const std::string& name) {
    for (const auto& [key, value] : table)
        if (std::find(known.begin(), known.end(), key) == known.end())
            refuse(value, fmt::format("{} has no key \"{}\"", name, key));
}

/// "8 MiB" with a unit of 1024, or a plain number.
double number_of(const Value& value, const std::string& name) {
    double number = std::numeric_limits<double>::quiet_NaN();
    if (value.is_integer()) number = static_cast<double>(value.as_integer());
    if (value.is_floating()) number = value.as_floating();
    if (value.is_string()) {
        std::istringstream text(value.as_string().str);
        std::string unit;
        text.imbue(std::locale::classic());
        text >> number;
        if (!text) refuse(value, name + ": not a number");
        text >> unit;
        const std::string rest = unit.empty() ? "B" : unit;
        constexpr std::array<std::string_view, 4> kUnits{"B", "KiB", "MiB", "GiB"};
        const auto found = std::find(kUnits.begin(), kUnits.end(), rest);
        std::string more;
        if (found == kUnits.end() || text >> more)
            refuse(value, name + ": wants a number and B, KiB, MiB or GiB");
        number *= std::pow(1024.0, static_cast<double>(found - kUnits.begin()));
    }
    if (!std::isfinite(number) || number < 0) refuse(value, name + ": wants a number from 0 on");
    return number;
}

std::uint64_t count_of(const Value& value, const std::string& name) {
    if (!value.is_integer() || value.as_integer() < 0)
        refuse(value, name + ": wants a whole number from 0 on");
    return static_cast<std::uint64_t>(value.as_integer());
}

Limit limit_of(const Value& value, const std::string& name) {
    const auto& table = table_of(value, name);
    only_keys(table, {"max", "baseline_percent", "baseline_floor"}, name);
    Limit limit;
    if (table.contains("max")) limit.max = number_of(table.at("max"), name + ".max");
    const bool percent = table.contains("baseline_percent");
    if (percent != table.contains("baseline_floor"))
        refuse(value, name + ": baseline_percent and baseline_floor go together");
    if (percent)
        limit.over_baseline = {number_of(table.at("baseline_percent"), name + ".baseline_percent"),
                               number_of(table.at("baseline_floor"), name + ".baseline_floor")};
    return limit;
}

EvidenceAsked evidence_of(const Value& value) {
    const auto& table = table_of(value, "evidence");
    only_keys(table, {"requests", "readings", "lost_events", "attach_failures", "sampling"},
              "evidence");
    EvidenceAsked evidence;
    const auto count = [&](const char* key, std::uint64_t& into) {
        if (table.contains(key)) into = count_of(table.at(key), std::string("evidence.") + key);
    };
    count("requests", evidence.requests);
    count("readings", evidence.readings);
    count("attach_failures", evidence.attach_failures);
    if (table.contains("lost_events"))
        evidence.lost_events = number_of(table.at("lost_events"), "evidence.lost_events");
    if (table.contains("sampling")) {
        if (!table.at("sampling").is_boolean())
            refuse(table.at("sampling"), "evidence.sampling: wants true or false");
        evidence.sampling = table.at("sampling").as_boolean();
    }
    return evidence;
}

std::string text_of(const toml::table& table, const std::string& key) {
    if (!table.contains(key)) return {};
    if (!table.at(key).is_string()) refuse(table.at(key), "suppress." + key + ": wants a string");
    return table.at(key).as_string().str;
}

Suppression suppression_of(const Value& value) {
    const auto& table = table_of(value, "suppress");
    only_keys(table, {"function", "module", "reason", "expires"}, "suppress");
    Suppression out{
        text_of(table, "function"), text_of(table, "module"), text_of(table, "reason"), {}};
    if (out.function.empty() && out.module.empty())
        refuse(value, "suppress: wants a function or a module");
    if (out.reason.empty()) refuse(value, "suppress: wants a reason");
    if (!table.contains("expires") || !table.at("expires").is_local_date())
        refuse(value, "suppress: wants expires = YYYY-MM-DD, without quotes");
    const auto& date = table.at("expires").as_local_date();
    out.expires =
        Day(std::chrono::year(date.year), std::chrono::month(static_cast<unsigned>(date.month) + 1),
            std::chrono::day(static_cast<unsigned>(date.day)));
    if (!out.expires.ok()) refuse(value, "suppress: there is no such day");
    return out;
}

/// A gate that looks at nothing would let everything pass.
void want_a_limit(const Value& root, const Policy& policy) {
    if (std::ranges::any_of(policy.limits, &Limit::given)) return;
    const auto& table = root.as_table();
    refuse(table.contains("limits") ? table.at("limits") : root,
           "every limit is switched off, nothing would be checked: give one, such as leak = { max "
           "= 0 }");
}

Policy policy_of(const Value& root) {
    Policy policy = built_in_policy();
    const auto& table = table_of(root, "the policy");
    only_keys(table, {"evidence", "limits", "suppress"}, "a policy");
    if (table.contains("evidence")) policy.evidence = evidence_of(table.at("evidence"));
    if (table.contains("limits"))
        for (const auto& [key, value] : table_of(table.at("limits"), "limits")) {
            const auto rule = rule_named(key);
            if (!rule) refuse(value, fmt::format("limits has no key \"{}\"", key));
            policy.limit(*rule) = limit_of(value, "limits." + key);
        }
    if (table.contains("suppress")) {
        if (!table.at("suppress").is_array())
            refuse(table.at("suppress"), "suppress: wants [[suppress]]");
        for (const auto& each : table.at("suppress").as_array())
            policy.suppressions.push_back(suppression_of(each));
    }
    want_a_limit(root, policy);
    return policy;
}

/// toml11 says "[error] toml::FUNCTION: REASON" and draws the place in further lines.
std::string_view reason_of(std::string_view what) {
    what = what.substr(0, what.find('\n'));
    const std::size_t function = what.find("toml::");
    const std::size_t reason = function == what.npos ? what.npos : what.find(": ", function);
    return reason == what.npos ? what : what.substr(reason + 2);
}

}  // namespace

Result<Policy> parse_policy(const std::string& toml, const std::string& name) {
    try {
        std::istringstream text(toml);
        return policy_of(toml::parse(text, name));
    } catch (const BadPolicy& bad) {
        return Error{name + ", " + bad.what()};
    } catch (const toml::exception& bad) {
        return Error{fmt::format("{}, line {}: no valid TOML: {}", name, bad.location().line(),
                                 reason_of(bad.what()))};
    } catch (const std::exception& bad) {
        return Error{name + ": no valid TOML: " + bad.what()};
    }
}

}  // namespace asrtrace::gate
