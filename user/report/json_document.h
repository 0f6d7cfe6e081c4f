// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The report for programs before it becomes text: the HTML page carries it, too.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "user/classify/findings.h"
#include "user/ledger/recording.h"

namespace asrtrace::report {

using Json = nlohmann::ordered_json;

/// How much of what there may be thousands of is listed.
struct DocumentLimits {
    std::size_t sites = 0;  ///< of each kind
    std::size_t findings = 0;
};

/// "asrtrace.report/1".
Json document(const ledger::Recording& recording, const classify::Analysis& analysis,
              DocumentLimits limits);

}  // namespace asrtrace::report
