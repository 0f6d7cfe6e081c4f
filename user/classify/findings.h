// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verdict: what kind of growth each part of a recording is. Pure and deterministic: the same
// recording gives the same findings.
//
//   sites (whose blocks outlive requests) --.
//   reachability (nothing points to them) --+--> leak, cache, warmup
//   covariates (new inputs)               --'
//   books over requests --------------------> retention, stack, mapped, file
//   what neither explains ------------------> inconclusive
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "user/classify/growth.h"
#include "user/classify/summary.h"
#include "user/ledger/recording.h"

namespace asrtrace::classify {

/// Growth in bytes that must not go without a word.
constexpr double kUnaccountedBytes = 1 << 20;
/// Share of the events whose loss leaves nothing to say of sites.
constexpr double kTooMuchLost = 0.05;
/// Readings of the heap that make a series.
constexpr std::size_t kEnoughReadings = 5;
/// With less completed requests (or intervals) nothing is said.
constexpr std::uint64_t kFewestRequests = 20;

enum class FindingKind : std::uint8_t {
    kLeak,
    kCache,
    kRetention,
    kMapped,
    kStack,
    kFile,
    kWarmup,
    kInconclusive,
};

enum class Confidence : std::uint8_t { kDefinite, kProbable, kPossible };

/// What may be done about memory that malloc keeps.
enum class Remedy : std::uint8_t {
    kTrim,           ///< malloc_trim(0), now
    kNoThreadCache,  ///< glibc.malloc.tcache_count=0
    kMmapThreshold,  ///< a fixed size from which blocks are mapped
    kTrimThreshold,  ///< a fixed size above which the top goes back
};

/// Bytes that a remedy would have saved by the last reading of the heap.
struct Saving {
    Remedy remedy = Remedy::kTrim;
    double bytes = 0;
};

struct Finding {
    FindingKind kind = FindingKind::kInconclusive;
    std::string subkind;  ///< empty if the kind has none
    double bytes = 0;     ///< growth within the window
    std::optional<Slope> per_request;
    Confidence confidence = Confidence::kPossible;
    std::vector<std::string> evidence;  ///< sentences
    std::string advice;                 ///< one, with a figure; may be empty
    std::vector<Saving> savings;        ///< of a retention: the figures of its advice
    std::optional<Forecast> forecast;
    std::optional<std::uint64_t> requests_needed;  ///< to decide an inconclusive case
    bool of_followed = false;                      ///< in children, whose memory is in no book
    std::vector<StackId> stacks;  ///< who does it, most bytes first; of a retention who pins it
};

/// A leak that did not come once, or a cache without a bound: grows as long as requests come.
bool endless(const Finding& finding);

const char* kind_name(FindingKind kind);
const char* confidence_name(Confidence confidence);

/// "leak-1", "leak-2", "cache-1": how every output calls them, in their order.
std::vector<std::string> finding_ids(const std::vector<Finding>& findings);
std::string finding_id(const std::vector<Finding>& findings, std::size_t index);

/// Growth of the books that stands in no finding, if it is worth a line (a fifth of all growth, at
/// least 1 MiB); else 0. Pages that no finding names are in the books all the same.
double unaccounted_growth(const ledger::Recording& recording, const std::vector<Finding>& findings);

/// Share of the events that never reached the ledger. One that came without its stack did; what
/// tracepoints missed may be other processes' and is none of sites.
double lost_share(const ledger::Recording& recording);

/// Most severe first: what grows without end, most bytes a request first; then the rest by bytes.
std::vector<Finding> find(const ledger::Recording& recording, const Summary& summary);

struct Analysis {
    Summary summary;
    std::vector<Finding> findings;
};

/// All that a report shows.
Analysis analyze(const ledger::Recording& recording);

// The parts of find(), one file each.

/// What is common to the parts.
struct Evidence {
    const ledger::Recording& recording;
    const Summary& summary;
    double requests = 0;
    double anonymous_last = 0;    ///< bytes of the last reading, or of the last sample
    double anonymous_growth = 0;  ///< since the first
    bool heap_traced = false;
    /// Growth below this is no finding: a share of what there is, and at least 64 KiB.
    double material() const;
    /// The same for a whole book, which moves by itself: 5 % of what there is, and at least 1 MiB.
    double least_book_growth() const;
    Per per() const;
    const char* unit() const;  ///< "request" or "interval"
};

/// site_findings.cpp: leak, cache and warmup, by allocation site.
std::vector<Finding> site_findings(const Evidence& evidence);
/// marked_leak.cpp: what marking finds beyond the bytes that leaks of known sites hold.
std::optional<Finding> marked_leak(const Evidence& evidence, double leaked_by_sites);
/// retention.cpp: memory that malloc keeps.
std::vector<Finding> retention_findings(const Evidence& evidence);
/// book_findings.cpp: stacks, mappings, files.
std::vector<Finding> book_findings(const Evidence& evidence);
/// inconclusive.cpp: growth that none of `found` accounts for, or evidence too thin for a finding.
std::optional<Finding> inconclusive(const Evidence& evidence, const std::vector<Finding>& found);

/// "fell from 5 MiB to 0 B at request 300"
std::string fall_text(const Fall& fall, const char* unit);

/// The readings that tell most: taken between requests where there are enough of them.
std::vector<const ledger::Reading*> settled_readings(const ledger::Recording& recording);

/// A value of each reading over completed requests. Of readings with equal requests the last
/// counts, but the very first of all is where growth begins.
template <typename Value>
std::vector<Point> reading_points(const ledger::Recording& recording, Value value) {
    std::vector<Point> points;
    for (const ledger::Reading* reading : settled_readings(recording)) {
        const Point point{static_cast<double>(reading->requests),
                          static_cast<double>(value(*reading))};
        const bool again = !points.empty() && points.back().x == point.x;
        if (again && points.size() == 1) continue;
        if (again) points.pop_back();
        points.push_back(point);
    }
    return points;
}

}  // namespace asrtrace::classify
