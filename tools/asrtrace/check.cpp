// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace check FILE: the gate for continuous integration.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "tools/asrtrace/read_trace.h"
#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/maps.h"
#include "user/base/output_file.h"
#include "user/gate/verdict.h"

namespace asrtrace {
namespace {

struct Options {
    std::string file, baseline, policy;
    std::string json, junit, markdown;
};

int fail(const Error& error) {
    print_error(error);
    return kExitError;
}

Result<gate::Policy> policy_from(const std::string& path) {
    if (path.empty()) return gate::built_in_policy();
    const auto text = read_text_file(path);
    if (!text) return text.error();
    return gate::parse_policy(*text, path);
}

/// "-" takes the place of the text on standard output.
Status write_all_formats(const Options& options, const gate::Shown& shown) {
    const bool to_stdout = options.json == "-" || options.junit == "-" || options.markdown == "-";
    auto status = to_stdout ? ok_status() : write_output_file("-", gate::verdict_text(shown));
    if (status && !options.json.empty())
        status = write_output_file(options.json, gate::verdict_json(shown));
    if (status && !options.junit.empty())
        status = write_output_file(options.junit, gate::verdict_junit(shown));
    if (status && !options.markdown.empty())
        status = write_output_file(options.markdown, gate::verdict_markdown(shown));
    return status;
}

int run(const Options& options) {
    const auto policy = policy_from(options.policy);
    if (!policy) return fail(policy.error());
    const auto recording = read_trace(options.file);
    if (!recording) return fail(recording.error());
    const auto analysis = classify::analyze(*recording);

    std::optional<ledger::Recording> old_recording;
    classify::Analysis old_analysis;
    std::optional<gate::Subject> baseline;
    if (!options.baseline.empty()) {
        auto old = read_trace(options.baseline);
        if (!old) return fail(old.error());
        old_recording = std::move(*old);
        old_analysis = classify::analyze(*old_recording);
        baseline.emplace(gate::Subject{*old_recording, old_analysis});
    }
    const gate::Subject subject{*recording, analysis};
    const gate::Day today(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
    const auto outcome = gate::evaluate(subject, baseline ? &*baseline : nullptr, *policy, today);
    const auto status = write_all_formats(options, {subject, *policy, outcome, options.file});
    if (!status) return fail(status.error());
    switch (outcome.verdict) {
        case gate::Verdict::kFail:
            return kExitFailed;
        case gate::Verdict::kInconclusive:
        case gate::Verdict::kUnchecked:
            return kExitInsufficient;
        case gate::Verdict::kPass:
        case gate::Verdict::kWarn:
            break;
    }
    return kExitDone;
}

}  // namespace

void add_check(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("check", "Gate: does a trace keep the limits of a policy?");
    verb->add_option("FILE", options->file, "a trace, as written by attach -o or run -o")
        ->required();
    verb->add_option("--baseline", options->baseline, "an earlier trace to compare with");
    verb->add_option(
        "--policy", options->policy,
        "limits in TOML (docs/policy.md); built in: no leak, no cache without a bound, "
        "not much more memory than the baseline");
    verb->add_option("--json", options->json,
                     "write the verdict as JSON (asrtrace.check/1) here; - for standard output");
    verb->add_option("--junit", options->junit, "write it as JUnit XML here");
    verb->add_option("--markdown", options->markdown, "write it as GitHub-flavoured Markdown here");
    verb->footer(
        "Example: asrtrace check new.asrtrace --baseline main.asrtrace --policy memory.toml\n"
        "It fails only on what is sure: the lower end of an interval, widened for the number of\n"
        "stacks that were looked at, lies above the limit.\n"
        "Exit status: 0 pass or warnings, 1 a limit is broken, 2 usage or environment,\n"
        "3 the evidence is too thin to have seen a violation.");
    verb->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace asrtrace
