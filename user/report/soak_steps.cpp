// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/format.h>

#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

NextStep recycling(int limit, int jitter) {
    const std::string with_jitter =
        jitter > 0 ? fmt::format(" --limit-max-requests-jitter {}", jitter) : "";
    const std::string of_gunicorn =
        jitter > 0 ? fmt::format(" --max-requests-jitter {}", jitter) : "";
    return {
        fmt::format("Recycle the worker after {} requests, which bounds what it can keep:", limit),
        {fmt::format("uvicorn APP --limit-max-requests {}{}", limit, with_jitter),
         fmt::format("gunicorn APP --max-requests {}{}", limit, of_gunicorn)}};
}

NextStep throughput() {
    return {"Try a higher rate, then longer chunks, and record again:",
            {"asr-load --port PORT --wavs DIR --rate 2 --requests 7200",
             "asr-worker --port PORT --chunk-seconds 8"}};
}

NextStep bounded_input() {
    return {"If that is not enough, bound the audio of a request or cut it into chunks:",
            {"asr-worker --port PORT --max-seconds 30",
             "asr-worker --port PORT --chunk-seconds 4 --stride-seconds 0.8"}};
}

NextStep reason() {
    return {
        "The thresholds do not say why memory grew, and a PASS may hide a slow leak; a trace "
        "does:",
        {"sudo asrtrace attach --pid PID --requests 400 -o worker.asrtrace"}};
}

}  // namespace

std::vector<NextStep> next_steps(const soak::Verdict& verdict) {
    switch (verdict.overall) {
        case soak::Grade::kPass:
            return {throughput(), reason()};
        case soak::Grade::kWarn:
            return {recycling(500, 50), throughput(), reason()};
        case soak::Grade::kFail:
            break;
    }
    return {recycling(300, 0), bounded_input(), reason()};
}

}  // namespace asrtrace::report
