// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The part of the text report that is about requests: how many, how long, by path, and how long
// their blocks live.
#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/sources.h"
#include "user/report/text_parts.h"

namespace asrtrace::report {
namespace {

using ledger::Lifetimes;
using ledger::PathTotals;

constexpr std::size_t kPaths = 12;

double mean(std::uint64_t sum, std::uint64_t count) {
    return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
}

void put_http(Page& page, const ledger::HttpSeen& http) {
    const auto say = [&](std::uint64_t number, const char* what) {
        if (number != 0) page.line(fmt::format("  {} {}", grouped(number), what));
    };
    say(http.aborted, "more ended without a whole response: the connection was closed");
    say(http.excluded, "more of paths that were not to count (--path-exclude)");
    say(http.confused, "connections whose bytes could not be followed (any more)");
}

void put_paths(Page& page, const ledger::Recording& recording) {
    const auto rows = paths_by_weight(recording);
    if (rows.empty()) return;
    const bool known = blocks_by_path(recording);
    page.line(fmt::format("  {:>9}  {:>11}  {:>13}  {:>10}  {:>10}  {}", "requests", "mean time",
                          "left behind", "body", "response",
                          "path (means; left: held per request)"));
    for (std::size_t i = 0; i < std::min(rows.size(), kPaths); ++i) {
        const PathTotals& row = *rows[i];
        page.line(fmt::format(
            "  {:>9}  {:>11}  {:>13}  {:>10}  {:>10}  {}", grouped(row.requests),
            duration_ns(static_cast<std::uint64_t>(mean(row.duration_ns, row.requests))),
            known ? bytes(mean(row.held_bytes, row.requests)) : "-",
            bytes(mean(row.body_bytes, row.requests)),
            bytes(mean(row.response_bytes, row.requests)), escape_terminal(row.path, 60)));
    }
    if (rows.size() > kPaths)
        page.line(fmt::format("  ... and {} more paths", rows.size() - kPaths));
}

void put_lifetimes(Page& page, const Source& source) {
    const Lifetimes& lives = source.recording.lifetimes;
    const auto all = static_cast<double>(lives.same.bytes + lives.next.bytes + lives.later.bytes +
                                         lives.held.bytes);
    if (all <= 0) return;
    const auto share = [&](const Lifetimes::Sum& sum) {
        return percent(static_cast<double>(sum.bytes) / all);
    };
    page.paragraph(fmt::format("of the bytes that ended {0}s allocated, {1} were freed by the same "
                               "{0}, {2} before {3} "
                               "more had ended, {4} later; {5} ({6} in {7} blocks) were not freed",
                               source.unit(), share(lives.same), share(lives.next),
                               Lifetimes::kNextRequests, share(lives.later), share(lives.held),
                               bytes(lives.held.bytes), grouped(lives.held.blocks)),
                   2);
}

}  // namespace

void put_requests(Page& page, const Source& source) {
    const auto& recording = source.recording;
    page.heading("REQUESTS");
    if (recording.request_source == ledger::RequestSource::kNone)
        return page.line("  no source: nothing is told by request");
    page.line(fmt::format(
        "  {} by {}", grouped(recording.requests_completed),
        escape_terminal(recording.request_spec.empty() ? source_name(recording.request_source)
                                                       : recording.request_spec)));
    put_http(page, recording.http);
    if (const auto& latency = source.summary.latency)
        page.line(fmt::format("  latency: p50 {}, p95 {}, p99 {}", duration_ns(latency->p50_ns),
                              duration_ns(latency->p95_ns), duration_ns(latency->p99_ns)));
    if (const auto& share = source.summary.attributed_fraction)
        page.line(fmt::format("  {} of the memory events belong to {} {}", percent(*share),
                              std::string_view(source.unit()) == "interval" ? "an" : "a",
                              source.unit()));
    put_lifetimes(page, source);
    put_paths(page, recording);
}

}  // namespace asrtrace::report
