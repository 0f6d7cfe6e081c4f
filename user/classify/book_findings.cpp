// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Growth outside of malloc: stacks, mappings of the program itself, files.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "user/base/path.h"
#include "user/base/quantity.h"
#include "user/classify/culprit.h"
#include "user/classify/findings.h"

namespace asrtrace::classify {
namespace {

using ledger::Reading;

/// Is it growth that a user would ask about? What came with the first requests and stayed is not.
bool worth_telling(const Evidence& evidence, const Growth& growth) {
    return growth.gain >= evidence.least_book_growth() && growth.shape != Shape::kWarmup &&
           growth.shape != Shape::kNone;
}

Finding finding_of(const Evidence& evidence, FindingKind kind, const Growth& growth) {
    Finding finding;
    finding.kind = kind;
    finding.bytes = growth.gain;
    if (growth.shape == Shape::kRising) finding.per_request = growth.slope;
    finding.forecast = growth.forecast;
    finding.confidence =
        growth.shape == Shape::kRising ? Confidence::kDefinite : Confidence::kProbable;
    if (growth.fall) {
        finding.confidence = Confidence::kPossible;
        finding.per_request.reset();
        finding.evidence.push_back(fall_text(*growth.fall, evidence.unit()));
    }
    return finding;
}

/// malloc's own mappings, and the stacks that pthread_create makes, are in other books. free() is
/// among them: a thread's first call makes its cache, and that an arena.
bool is_of_libc(const ledger::Recording& recording, StackId stack) {
    constexpr std::array<std::string_view, 4> kMakers{"alloc", "memalign", "pthread_create",
                                                      "free"};
    for (const auto* frame : frames_of(recording, stack)) {
        const std::string_view name = frame->function;
        const bool maker = std::any_of(kMakers.begin(), kMakers.end(), [&](std::string_view word) {
            return name.find(word) != std::string_view::npos;
        });
        if (maker && basename_of(frame->module).starts_with("libc.")) return true;
    }
    return false;
}

std::vector<StackId> mapping_stacks(const Evidence& evidence) {
    constexpr std::size_t kMost = 5;
    std::vector<const Site*> sites;
    for (const Site& site : evidence.summary.mapped)
        if (site.live_bytes != 0 && !is_of_libc(evidence.recording, site.stack))
            sites.push_back(&site);
    std::stable_sort(sites.begin(), sites.end(),
                     [](const Site* a, const Site* b) { return a->live_bytes > b->live_bytes; });
    std::vector<StackId> stacks;
    for (const Site* site : sites)
        if (stacks.size() < kMost) stacks.push_back(site->stack);
    return stacks;
}

void add_stack_finding(const Evidence& evidence, std::vector<Finding>& findings) {
    const Growth growth =
        growth_of(reading_points(evidence.recording,
                                 [](const Reading& reading) { return reading.books.stack; }),
                  false, evidence.per());
    if (!worth_telling(evidence, growth)) return;
    const Reading& first = evidence.recording.readings.front();
    const Reading& last = evidence.recording.readings.back();
    Finding finding = finding_of(evidence, FindingKind::kStack, growth);
    finding.evidence.push_back(
        fmt::format("resident stacks rose from {} to {}, threads from {} to "
                    "{}; {} belong to threads that have ended",
                    bytes(first.books.stack), bytes(last.books.stack), first.threads, last.threads,
                    bytes(last.stack_cached)));
    finding.advice = fmt::format(
        "find out who starts threads and does not join them; each holds {} on average",
        bytes(last.threads == 0 ? 0.0
                                : static_cast<double>(last.books.stack - last.stack_cached) /
                                      static_cast<double>(last.threads)));
    for (const Site& site : evidence.summary.mapped)
        for (const auto* frame : frames_of(evidence.recording, site.stack))
            if (finding.stacks.empty() && frame->function.find("pthread_create") == 0)
                finding.stacks.push_back(site.stack);
    findings.push_back(std::move(finding));
}

std::string outlook(const Evidence& evidence, const Growth& growth) {
    if (growth.fall) return "trace for longer: what went may go again";
    if (growth.shape == Shape::kRising)
        return fmt::format("at this rate {} in 1,000 {}s",
                           bytes(growth.gain / std::max(evidence.requests, 1.0) * 1000),
                           evidence.unit());
    if (growth.forecast) return "no more is expected, as long as the requests stay as they are";
    return "trace for longer to see whether they go on growing";
}

void add_mapped_finding(const Evidence& evidence, std::vector<Finding>& findings) {
    const Growth growth =
        growth_of(reading_points(evidence.recording,
                                 [](const Reading& reading) { return reading.books.anon_mapped; }),
                  false, evidence.per());
    if (!worth_telling(evidence, growth)) return;
    Finding finding = finding_of(evidence, FindingKind::kMapped, growth);
    finding.evidence.push_back(
        fmt::format("anonymous mappings outside of malloc rose from {} to {}",
                    bytes(evidence.recording.readings.front().books.anon_mapped),
                    bytes(evidence.recording.readings.back().books.anon_mapped)));
    finding.advice = "a runtime's own arenas, or mmap without munmap: the stacks say whose; " +
                     outlook(evidence, growth);
    finding.stacks = mapping_stacks(evidence);
    findings.push_back(std::move(finding));
}

/// RssFile at each sample over the requests that had ended by then.
std::vector<Point> file_points(const ledger::Recording& recording) {
    std::vector<Point> points;
    std::size_t epoch = 0;
    double requests = 0;
    for (const auto& sample : recording.samples) {
        for (; epoch < recording.epochs.size() && recording.epochs[epoch].end_ns <= sample.t_ns;
             ++epoch)
            requests = static_cast<double>(recording.epochs[epoch].requests);
        if (!points.empty() && points.back().x == requests) points.pop_back();
        points.push_back({requests, static_cast<double>(sample.rss_file_kb) * 1024});
    }
    return points;
}

void add_file_finding(const Evidence& evidence, std::vector<Finding>& findings) {
    const auto points = file_points(evidence.recording);
    const Growth growth = growth_of(points, false, evidence.per());
    if (!worth_telling(evidence, growth)) return;
    Finding finding = finding_of(evidence, FindingKind::kFile, growth);
    finding.evidence.push_back(fmt::format("resident file pages (RssFile) rose from {} to {}",
                                           bytes(points.front().y), bytes(points.back().y)));
    finding.advice =
        "file pages are cache: the kernel takes them back under pressure; they are no leak";
    findings.push_back(std::move(finding));
}

}  // namespace

std::vector<Finding> book_findings(const Evidence& evidence) {
    std::vector<Finding> findings;
    if (evidence.recording.readings.size() >= 2) {
        add_stack_finding(evidence, findings);
        add_mapped_finding(evidence, findings);
    }
    add_file_finding(evidence, findings);
    return findings;
}

}  // namespace asrtrace::classify
