// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory that the program freed and malloc keeps.
#include <fmt/core.h>

#include <algorithm>

#include "user/base/quantity.h"
#include "user/classify/findings.h"

namespace asrtrace::classify {
namespace {

using ledger::Arena;
using ledger::Reading;

constexpr double kMost = 0.5;     ///< of the growth: names its cause
constexpr double kLarger = 0.25;  ///< of the growth: by so much the whole process grew, at least
constexpr std::uint64_t kManyArenas = 3;
constexpr std::uint64_t kFirstMmapThreshold = 128 << 10;  ///< DEFAULT_MMAP_THRESHOLD_MIN, malloc.c
constexpr std::size_t kPins = 5;

double grown(const Reading& first, const Reading& last, std::uint64_t Reading::*part) {
    return static_cast<double>(last.*part) - static_cast<double>(first.*part);
}

double outside_main(const Reading& reading) {
    return static_cast<double>(reading.books.heap_retained) -
           static_cast<double>(reading.retained_main);
}

const char* cause_of(const Reading& first, const Reading& last, double growth) {
    const double top = grown(first, last, &Reading::retained_top);
    const double large = grown(first, last, &Reading::retained_large);
    if (grown(first, last, &Reading::retained_tcache) >= kMost * growth) return "tcache";
    if (last.arenas >= first.arenas + kManyArenas &&
        outside_main(last) - outside_main(first) >= kMost * growth)
        return "arenas";
    if (last.mmap_threshold > first.mmap_threshold && top + large >= kMost * growth)
        return "threshold";
    return top >= kMost * growth ? "top" : "fragmentation";
}

std::vector<Saving> savings_for(const std::string& cause, const Reading& last) {
    const auto saving = [](Remedy remedy, std::uint64_t size) {
        return Saving{remedy, static_cast<double>(size)};
    };
    std::vector<Saving> savings = {saving(Remedy::kTrim, last.releasable)};
    if (cause == "tcache") savings.push_back(saving(Remedy::kNoThreadCache, last.retained_tcache));
    // Each of many arenas keeps big blocks because these are no longer mapped.
    const bool moved = cause == "arenas" && last.mmap_threshold > kFirstMmapThreshold;
    if (cause == "threshold" || moved)
        savings.push_back(saving(Remedy::kMmapThreshold, last.retained_large + last.retained_top));
    if (cause == "top") savings.push_back(saving(Remedy::kTrimThreshold, last.retained_top));
    return savings;
}

std::string advice_of(const Saving& saving) {
    switch (saving.remedy) {
        case Remedy::kTrim:
            break;
        case Remedy::kNoThreadCache:
            return fmt::format(
                "GLIBC_TUNABLES=glibc.malloc.tcache_count=0 would save up to {}, at the price of "
                "slower calls",
                bytes(saving.bytes));
        case Remedy::kMmapThreshold:
            return fmt::format(
                "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072 keeps big blocks out of the "
                "heap and would save up to {}, at the price of page faults",
                bytes(saving.bytes));
        case Remedy::kTrimThreshold:
            return fmt::format(
                "GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 would save up to {}, at the "
                "price of page faults",
                bytes(saving.bytes));
    }
    return fmt::format("malloc_trim(0) would give back {} now", bytes(saving.bytes));
}

std::string advice_of(const std::vector<Saving>& savings, const std::string& cause,
                      const Reading& last) {
    std::string text;
    for (const Saving& saving : savings) text += (text.empty() ? "" : "; ") + advice_of(saving);
    // No figure: what an arena keeps is up to which threads meet in it and when.
    if (cause == "arenas")
        text += fmt::format(
            "; MALLOC_ARENA_MAX=2 instead of {} arenas keeps less, asrtrace experiment measures "
            "how much",
            last.arenas);
    return text;
}

std::vector<std::string> evidence_for(const Reading& first, const Reading& last,
                                      const Evidence& evidence) {
    std::vector<std::string> lines;
    lines.push_back(
        fmt::format("freed memory that is still resident rose from {} to {} in {:.0f} {}s",
                    bytes(first.books.heap_retained), bytes(last.books.heap_retained),
                    evidence.requests, evidence.unit()));
    lines.push_back(fmt::format(
        "of it {} in tops, {} in free chunks of 128 KiB and more, {} in thread caches; {} could be "
        "released",
        bytes(last.retained_top), bytes(last.retained_large), bytes(last.retained_tcache),
        bytes(last.releasable)));
    if (last.arenas > first.arenas)
        lines.push_back(fmt::format("arenas rose from {} to {}", first.arenas, last.arenas));
    if (last.mmap_threshold > first.mmap_threshold)
        lines.push_back(fmt::format("the size from which blocks are mapped has moved from {} to {}",
                                    bytes(first.mmap_threshold), bytes(last.mmap_threshold)));
    return lines;
}

/// What comes and goes was seen at its lowest and at its highest; what was in use and is free now
/// made the process no larger.
void lower_confidence(const Evidence& evidence, const Growth& growth, Finding& finding) {
    if (growth.fall)
        finding.evidence.push_back(fall_text(*growth.fall, evidence.unit()) +
                                   ": it comes and goes");
    const bool larger = evidence.anonymous_growth >= kLarger * growth.gain;
    if (!larger)
        finding.evidence.push_back(
            fmt::format("anonymous memory as a whole changed by {}: this was in use before",
                        signed_bytes(evidence.anonymous_growth)));
    if (growth.fall || !larger) finding.confidence = Confidence::kProbable;
}

}  // namespace

std::vector<Finding> retention_findings(const Evidence& evidence) {
    const auto readings = settled_readings(evidence.recording);
    if (readings.size() < 2) return {};
    const auto points = reading_points(
        evidence.recording, [](const Reading& reading) { return reading.books.heap_retained; });
    const Growth growth = growth_of(points, false, evidence.per());
    if (growth.gain < evidence.least_book_growth()) return {};
    const Reading& first = *readings.front();
    const Reading& last = *readings.back();
    Finding finding;
    finding.kind = FindingKind::kRetention;
    finding.subkind = cause_of(first, last, growth.gain);
    finding.bytes = growth.gain;
    if (growth.shape == Shape::kRising) finding.per_request = growth.slope;
    finding.confidence = Confidence::kDefinite;
    finding.evidence = evidence_for(first, last, evidence);
    if (growth.shape == Shape::kWarmup)
        finding.evidence.push_back(fmt::format("nearly all of it came in the first {:.0f} {}s",
                                               growth.settled_at, evidence.unit()));
    lower_confidence(evidence, growth, finding);
    finding.forecast = growth.forecast;
    finding.savings = savings_for(finding.subkind, last);
    finding.advice = advice_of(finding.savings, finding.subkind, last);
    for (const Arena& arena : evidence.recording.arenas) {
        if (finding.stacks.size() == kPins || arena.pin_address == 0) continue;
        if (std::ranges::find(finding.stacks, arena.pin_stack) == finding.stacks.end())
            finding.stacks.push_back(arena.pin_stack);
    }
    return {std::move(finding)};
}

}  // namespace asrtrace::classify
