// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The report for programs: schema "asrtrace.report/1".
#pragma once

#include <string>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

/// At most so many sites of a kind are listed; *_omitted counts the others.
constexpr std::size_t kMaxJsonSites = 100;

/// Valid UTF-8 without control characters, a newline at the end. Bytes are integers (slopes are
/// not), addresses hex strings; what was not measured is null as a whole.
std::string json(const ledger::Recording& recording, const classify::Analysis& analysis);

}  // namespace asrtrace::report
