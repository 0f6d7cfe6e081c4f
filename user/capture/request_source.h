// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where a request begins and ends: what `--request SPEC` says, resolved against the target.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "user/base/result.h"
#include "user/capture/programs.h"
#include "user/ledger/recording.h"

namespace asrtrace::capture {

struct RequestPlan {
    ledger::RequestSource source = ledger::RequestSource::kNone;
    std::string spec{};  ///< as resolved: "usdt:asr:request_start,request_done"
    std::vector<RequestProbe> probes{};
    std::uint64_t interval_ns = 0;  ///< every:SECONDS
    std::uint16_t http_port = 0;    ///< http:PORT; 0: any
    std::string note{};             ///< what `auto` chose and why; empty otherwise
};

/// Resolves usdt:PROVIDER:START,DONE, func:[MODULE:]START,DONE, http[:PORT], every:SECONDS or auto.
/// `will_serve`: HTTP requests will come, though the target may listen on no socket yet.
/// Error: a malformed spec, or a probe or function that the target does not have.
Result<RequestPlan> plan_requests(pid_t pid, const std::string& spec, bool will_serve = false);

}  // namespace asrtrace::capture
