// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#pragma once

#include <string>

namespace asrtrace::load {

/// What became of a request.
struct Outcome {
    double due_seconds = 0;   ///< after the first request
    double sent_seconds = 0;  ///< likewise
    double latency_ms = 0;    ///< from due to the end of the answer
    int status = 0;           ///< of HTTP; 0: no whole answer
    std::string error;        ///< of one that is not 200: the reason, or the answer's beginning
};

}  // namespace asrtrace::load
