// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A recording as the user asked to see it; the end of a live run and `report FILE` both go through
// here, so that they say the same.
#pragma once

#include <string>

#include "user/base/result.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Writes the text report to stdout and, if `json_path` is not empty, the JSON report to that file.
/// With "-" the JSON goes to stdout instead of the text. Error: a file cannot be written; the text
/// was printed all the same.
Status show_recording(const ledger::Recording& recording, const std::string& json_path);

/// "asrtrace: message" to stderr, the message escaped.
void print_error(const Error& error);

}  // namespace asrtrace
