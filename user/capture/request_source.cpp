// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/request_source.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "user/base/escape.h"
#include "user/capture/sockets.h"
#include "user/capture/target_module.h"
#include "user/symbols/function_search.h"

namespace asrtrace::capture {
namespace {

constexpr double kAutoIntervalSeconds = 10;
constexpr std::string_view kForms =
    "use http[:PORT], usdt:PROVIDER:START,DONE, func:[MODULE:]START,[MODULE:]DONE, every:SECONDS "
    "or auto";

struct Pair {
    std::string start;
    std::string done;
};

/// Splits at the comma that is outside of <> and (): demangled names hold commas.
std::optional<Pair> split_pair(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '<' || c == '(') ++depth;
        if (c == '>' || c == ')') --depth;
        if (c != ',' || depth != 0) continue;
        Pair pair{std::string(text.substr(0, i)), std::string(text.substr(i + 1))};
        if (pair.start.empty() || pair.done.empty()) return std::nullopt;
        return pair;
    }
    return std::nullopt;
}

Status add_usdt(pid_t pid, const std::string& provider, const std::string& name, bool done,
                RequestPlan& plan) {
    const auto sites = find_usdt(pid, provider, name);
    if (!sites) return sites.error();
    if (sites->empty()) {
        return Error{"the target has no USDT probe " + provider + ":" + name +
                     " (`readelf -n FILE` lists the ones of a file)"};
    }
    const std::string what = provider + ":" + name;
    for (const UsdtProbe& probe : *sites) {
        plan.probes.push_back({.site = {.file = probe.file,
                                        .file_offset = probe.file_offset,
                                        .cookie = 0,
                                        .ref_ctr_offset = probe.semaphore_file_offset,
                                        .what = what},
                               .done = done,
                               .arguments = probe.arguments});
    }
    return ok_status();
}

Result<RequestPlan> plan_usdt(pid_t pid, const std::string& rest) {
    const std::size_t colon = rest.find(':');
    const auto pair = colon == std::string::npos
                          ? std::nullopt
                          : split_pair(std::string_view(rest).substr(colon + 1));
    if (!pair)
        return Error{"--request usdt:" + rest + " is not of the form; " + std::string(kForms)};
    RequestPlan plan{.source = ledger::RequestSource::kUsdt, .spec = "usdt:" + rest};
    const std::string provider = rest.substr(0, colon);
    for (const bool done : {false, true}) {
        const auto added = add_usdt(pid, provider, done ? pair->done : pair->start, done, plan);
        if (!added) return added.error();
    }
    return plan;
}

bool module_matches(const std::string& path, std::string_view wanted) {
    const std::string_view base = std::string_view(path).substr(path.rfind('/') + 1);
    return wanted.empty() || path == wanted || base == wanted ||
           (base.starts_with(wanted) && base.substr(wanted.size()).starts_with(".so"));
}

/// "MODULE:SYMBOL" or "SYMBOL"; the colons of a C++ scope come in pairs.
std::pair<std::string, std::string> split_module(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ':') continue;
        if (i + 1 < text.size() && text[i + 1] == ':') {
            ++i;
            continue;
        }
        return {text.substr(0, i), text.substr(i + 1)};
    }
    return {"", text};
}

Status add_function(const TargetModules& modules, const std::string& text, bool done,
                    RequestPlan& plan) {
    const auto [module_name, symbol] = split_module(text);
    std::vector<UprobeSite> sites;
    for (const TargetModule& module : modules.modules) {
        if (!module_matches(module.path, module_name)) continue;
        const auto file = module.open();
        if (!file) continue;
        const auto found = symbols::find_function((*file)->path(), symbol);
        if (!found) continue;
        for (const symbols::FunctionAddress& function : *found) {
            sites.push_back({.file = *file,
                             .file_offset = function.file_offset,
                             .cookie = 0,
                             .ref_ctr_offset = 0,
                             .what = text});
        }
    }
    if (sites.empty()) {
        return Error{"the target has no function '" + escape_terminal(symbol) + "'" +
                     (module_name.empty() ? "" : " in a module '" + module_name + "'") +
                     "; give the mangled or the demangled name (`nm -C FILE` lists them)"};
    }
    if (sites.size() > 1) {
        return Error{
            "'" + escape_terminal(text) + "' is ambiguous: " + std::to_string(sites.size()) +
            " functions have that name; add the parameter types, the mangled name or MODULE:"};
    }
    plan.probes.push_back({.site = sites.front(), .done = done, .arguments = {}});
    return ok_status();
}

Result<RequestPlan> plan_functions(pid_t pid, const std::string& rest) {
    const auto pair = split_pair(rest);
    if (!pair)
        return Error{"--request func:" + rest + " is not of the form; " + std::string(kForms)};
    const auto modules = find_target_modules(pid);
    if (!modules) return modules.error();
    RequestPlan plan{.source = ledger::RequestSource::kFunc, .spec = "func:" + rest};
    for (const bool done : {false, true}) {
        const auto added = add_function(*modules, done ? pair->done : pair->start, done, plan);
        if (!added) return added.error();
    }
    return plan;
}

RequestPlan plan_interval(double seconds) {
    std::string text = std::to_string(seconds);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return {.source = ledger::RequestSource::kEvery,
            .spec = "every:" + text,
            .interval_ns = static_cast<std::uint64_t>(std::llround(seconds * 1e9))};
}

Result<RequestPlan> plan_http(const std::string& spec) {
    RequestPlan plan{.source = ledger::RequestSource::kHttp, .spec = spec};
    if (spec == "http") return plan;
    const char* const begin = spec.data() + std::string_view("http:").size();
    const char* const end = spec.data() + spec.size();
    const auto [stop, error] = std::from_chars(begin, end, plan.http_port);
    if (!spec.starts_with("http:") || error != std::errc() || stop != end || plan.http_port == 0)
        return Error{"--request " + escape_terminal(spec) + ": PORT is a number from 1 to 65535; " +
                     std::string(kForms)};
    return plan;
}

RequestPlan plan_auto(pid_t pid, bool will_serve) {
    auto usdt = plan_usdt(pid, "asr:request_start,request_done");
    if (usdt) {
        usdt->note = "requests: the target's USDT probes asr:request_start/request_done";
        return std::move(usdt).value();
    }
    const std::string without = "requests: no USDT probes asr:request_start/request_done, ";
    const std::vector<std::uint16_t> ports = listening_ports(pid);
    if (!ports.empty() || will_serve) {
        RequestPlan plan{.source = ledger::RequestSource::kHttp, .spec = "http"};
        plan.note = without + "but the target " +
                    (ports.empty() ? "is going to be sent HTTP requests"
                                   : "listens on TCP port " + std::to_string(ports.front()) +
                                         (ports.size() > 1 ? " and others" : "")) +
                    ": HTTP/1.x on its sockets; if it speaks something else, --request "
                    "func:START,DONE or every:SECONDS";
        return plan;
    }
    RequestPlan plan = plan_interval(kAutoIntervalSeconds);
    plan.note =
        without +
        "and the target listens on no TCP socket: intervals of 10 s (every:10) stand in for "
        "requests; --request http if it is going to, func:START,DONE for others";
    return plan;
}

}  // namespace

Result<RequestPlan> plan_requests(pid_t pid, const std::string& spec, bool will_serve) {
    if (spec == "auto") return plan_auto(pid, will_serve);
    if (spec.starts_with("usdt:")) return plan_usdt(pid, spec.substr(5));
    if (spec.starts_with("func:")) return plan_functions(pid, spec.substr(5));
    if (spec.starts_with("every:")) {
        char* end = nullptr;
        const double seconds = std::strtod(spec.c_str() + 6, &end);
        if (end != spec.c_str() + 6 && *end == '\0' && seconds >= 0.01 && seconds <= 86400) {
            return plan_interval(seconds);
        }
        return Error{"--request " + spec + ": SECONDS is a number from 0.01 to 86400"};
    }
    if (spec.starts_with("http")) return plan_http(spec);
    return Error{"--request " + escape_terminal(spec) + ": " + std::string(kForms)};
}

}  // namespace asrtrace::capture
