// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/show.h"

#include "user/base/output_file.h"
#include "user/classify/findings.h"
#include "user/report/html.h"
#include "user/report/json.h"
#include "user/report/text.h"

namespace asrtrace {

Status show_recording(const ledger::Recording& recording, const ReportFiles& files) {
    const auto analysis = classify::analyze(recording);
    Status status = ok_status();
    const auto write = [&](const std::string& path, const auto& render) {
        if (!status || path.empty()) return;
        status = write_output_file(path, render(recording, analysis));
    };
    if (files.json != "-" && files.html != "-") write("-", report::text);
    write(files.json, report::json);
    write(files.html, report::html);
    return status;
}

Status check_outputs(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        if (path.empty() || path == "-") continue;
        if (auto status = check_output_file(path); !status) return status;
    }
    return ok_status();
}

}  // namespace asrtrace
