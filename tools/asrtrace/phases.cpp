// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/phases.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

namespace asrtrace {
namespace {

constexpr double kFewestRequests = 400;  ///< of a scaled run

double load_seconds(const soak::Plan& plan) {
    return static_cast<double>(plan.load * plan.scale.over) / static_cast<double>(plan.scale.under);
}

}  // namespace

soak::Plan Phases::plan() const {
    soak::Plan plan = given;
    plan.scale = *soak::parse_scale(scale);
    return plan;
}

void add_phases(CLI::App& verb, Phases& phases, const std::string& default_sample) {
    const auto phase = [&](const char* name, std::int64_t& seconds, const char* what) {
        verb.add_option(name, seconds, what)
            ->check(CLI::Range(std::int64_t{1}, soak::kMostPhaseSeconds))
            ->capture_default_str();
    };
    phase("--baseline", phases.given.baseline, "seconds idle before the load");
    phase("--load", phases.given.load, "seconds of load");
    phase("--recovery", phases.given.recovery, "seconds idle after the load");
    auto* sample = verb.add_option("--sample", phases.given.sample,
                                   "seconds between rows; more than 3 times that without a row is "
                                   "a gap")
                       ->check(CLI::Range(std::int64_t{1}, soak::kMostPhaseSeconds));
    if (!default_sample.empty()) {
        phases.given.sample = std::stoll(default_sample);
        sample->default_str(default_sample);
    } else {
        sample->default_str("as in the file");
    }
    verb.add_option("--scale", phases.scale,
                    "shorter phases, as 1/20 or 0.05; --sample likewise, but not below 1 s")
        ->check([](const std::string& text) {
            return soak::parse_scale(text) ? "" : "'" + text + "' is no fraction above 0 up to 1";
        })
        ->capture_default_str();
}

void add_load_options(CLI::App& verb, LoadOptions& options) {
    verb.add_option("--post", options.url, "URL that the requests are posted to")->required();
    verb.add_option("--file", options.files,
                    "FIELD=@FILE, as curl -F takes it (repeatable), or FIELD=@DIRECTORY for all "
                    "its *.wav: one a request, as a multipart form")
        ->required()
        ->allow_extra_args(false);
    verb.add_option("--order", options.order,
                    "files one after the other, or drawn for each request")
        ->check(CLI::IsMember({"cycle", "random"}))
        ->capture_default_str();
    verb.add_option("--seed", options.seed, "of the random order")->capture_default_str();
    verb.add_option("--rate", options.rate,
                    "requests a second, sent on schedule however slow the answers are; a scaled "
                    "run raises it to 400 requests in all")
        ->check(CLI::Range(0.001, 10000.0))
        ->capture_default_str();
    verb.add_option("--timeout", options.timeout_seconds, "seconds until a request has failed")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
}

Result<load::Plan> load_plan(const LoadOptions& options, const soak::Plan& phases) {
    load::Plan plan;
    plan.url = options.url;
    plan.random = options.order == "random";
    plan.seed = options.seed;
    plan.timeout_seconds = options.timeout_seconds;
    for (const std::string& file : options.files) {
        auto uploads = load::read_uploads(file);
        if (!uploads) return uploads.error();
        for (load::Upload& upload : *uploads) plan.uploads.push_back(std::move(upload));
    }
    const double seconds = load_seconds(phases);
    const bool scaled = phases.scale.over != phases.scale.under;
    plan.rate = scaled ? std::max(options.rate, kFewestRequests / seconds) : options.rate;
    plan.requests = static_cast<std::uint64_t>(std::max(1.0, std::round(plan.rate * seconds)));
    return plan;
}

std::string phases_text(const Phases& phases) {
    const soak::Plan usual;
    std::string text;
    const auto add = [&](const char* name, std::int64_t value, std::int64_t unless) {
        if (value != unless) text += fmt::format(" {} {}", name, value);
    };
    add("--baseline", phases.given.baseline, usual.baseline);
    add("--load", phases.given.load, usual.load);
    add("--recovery", phases.given.recovery, usual.recovery);
    if (phases.scale != "1") text += " --scale " + phases.scale;
    return text;
}

std::string load_text(const LoadOptions& options) {
    std::string text = " --post " + options.url;
    for (const std::string& file : options.files) text += " --file " + file;
    if (options.order != "cycle") text += " --order " + options.order;
    return text;
}

}  // namespace asrtrace
