// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A recording as the user asked to see it; the end of a live run and `report FILE` both go through
// here, so that they say the same.
#pragma once

#include <string>
#include <vector>

#include "user/base/result.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Where a report goes besides standard output; empty: nowhere.
struct ReportFiles {
    std::string json;
    std::string html;
};

/// Writes the text report to stdout, and the JSON report and the HTML page to their files. A file
/// "-" is stdout, where it stands instead of the text. Error: a file cannot be written; the text
/// was printed all the same.
Status show_recording(const ledger::Recording& recording, const ReportFiles& files);

/// Before a run, so that it does not go to waste. Error: the first of `paths` that could not be
/// written (check_output_file); "" and "-" pass.
Status check_outputs(const std::vector<std::string>& paths);

}  // namespace asrtrace
