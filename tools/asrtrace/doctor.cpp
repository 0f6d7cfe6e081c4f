// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// asrtrace doctor: what this kernel and machine allow, and what to do about the rest.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/asrtrace/tell.h"
#include "tools/asrtrace/verbs.h"
#include "user/base/output_file.h"
#include "user/capture/features.h"

namespace asrtrace {
namespace {

std::string doctor_text(const std::vector<capture::FeatureRow>& rows) {
    std::string text;
    bool all_required = true;
    for (const capture::FeatureRow& row : rows) {
        const char* state = row.works ? "yes" : row.required ? "NO" : "no";
        text += fmt::format("{:<18} {:<4} {}\n", row.name, state, row.why);
        if (!row.works) text += fmt::format("{:<18}      -> {}\n", "", row.remedy);
        all_required = all_required && (row.works || !row.required);
    }
    text +=
        all_required ? "asrtrace works here.\n" : "asrtrace cannot attach here: see NO above.\n";
    return text;
}

std::string doctor_json(const std::vector<capture::FeatureRow>& rows) {
    nlohmann::ordered_json document;
    document["schema"] = "asrtrace.doctor/1";
    document["features"] = nlohmann::ordered_json::array();
    for (const capture::FeatureRow& row : rows) {
        document["features"].push_back({{"name", row.name},
                                        {"works", row.works},
                                        {"required", row.required},
                                        {"why", row.why},
                                        {"remedy", row.remedy}});
    }
    return document.dump(2) + "\n";
}

int run_doctor(const std::string& json) {
    const auto rows = capture::feature_rows(capture::detect_features());
    Status written = ok_status();
    if (json != "-") written = write_output_file("-", doctor_text(rows));
    if (written && !json.empty()) written = write_output_file(json, doctor_json(rows));
    if (written) return kExitDone;
    print_error(written.error());
    return kExitError;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_status) {
    auto json = std::make_shared<std::string>();
    CLI::App* verb = app.add_subcommand(
        "doctor", "What this kernel and machine allow, and what to do about the rest");
    verb->add_option("--json", *json, "Write the answer as JSON; - is standard output");
    verb->footer("Example:\n  sudo asrtrace doctor");
    verb->callback([json, &exit_status] { exit_status = run_doctor(*json); });
}

}  // namespace asrtrace
