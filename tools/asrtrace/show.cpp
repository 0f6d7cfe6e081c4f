// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/show.h"

#include <iostream>

#include "user/base/escape.h"
#include "user/base/output_file.h"
#include "user/classify/findings.h"
#include "user/report/json.h"
#include "user/report/text.h"

namespace asrtrace {

Status show_recording(const ledger::Recording& recording, const std::string& json_path) {
    const auto analysis = classify::analyze(recording);
    if (json_path != "-") {
        auto status = write_output_file("-", report::text(recording, analysis));
        if (!status || json_path.empty()) return status;
    }
    return write_output_file(json_path, report::json(recording, analysis));
}

void print_error(const Error& error) {
    std::cerr << "asrtrace: " << escape_terminal(error.message) << '\n';
}

}  // namespace asrtrace
