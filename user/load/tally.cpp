// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/load/tally.h"

#include <algorithm>

namespace asrtrace::load {
namespace {

constexpr int kOk = 200;

}  // namespace

void Tally::add(const Outcome& outcome) {
    // They end in another order than they are sent in.
    first_sent = requests == 0 ? outcome.sent_seconds : std::min(first_sent, outcome.sent_seconds);
    last_sent = std::max(last_sent, outcome.sent_seconds);
    most_late_ms = std::max(most_late_ms, 1000 * (outcome.sent_seconds - outcome.due_seconds));
    ++requests;
    ++by_status[outcome.status];
    if (outcome.status != kOk) {
        const std::string status = "HTTP " + std::to_string(outcome.status);
        last_error = (outcome.status == 0 ? "no answer" : status) + ": " + outcome.error;
        if (first_error.empty()) first_error = last_error;
        ++failed_in_a_row;
        return;
    }
    failed_in_a_row = 0;
    all.add(outcome.latency_ms);
    const auto within = [&](const Span& span) {
        return outcome.due_seconds >= span.begin && outcome.due_seconds < span.end;
    };
    if (within(early_span)) early.add(outcome.latency_ms);
    if (within(late_span)) late.add(outcome.latency_ms);
}

std::uint64_t Tally::failed() const {
    return requests - all.count();
}

double Tally::mean_rate() const {
    if (requests < 2 || last_sent <= first_sent) return 0;
    return static_cast<double>(requests - 1) / (last_sent - first_sent);
}

}  // namespace asrtrace::load
