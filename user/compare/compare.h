// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What changed between two recordings, by finding, by site and by book. Nothing is matched by
// address: builds move code, functions keep their names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "user/classify/findings.h"

namespace asrtrace::compare {

struct Side {
    const ledger::Recording& recording;
    const classify::Analysis& analysis;
};

/// One finding of either recording; the same kind by the same culprit is the same finding.
struct FindingChange {
    std::optional<std::size_t> base, now;  ///< indices into the findings
    double base_bytes = 0, now_bytes = 0;
    double base_rate = 0, now_rate = 0;  ///< bytes per request, 0 without growth
};

/// Heap sites whose stacks have the same functions and modules, in one recording or both.
struct SiteChange {
    std::optional<StackId> base, now;             ///< a stack of it on either side
    double base_rate = 0, now_rate = 0;           ///< outlived bytes per request, summed
    std::uint64_t base_bytes = 0, now_bytes = 0;  ///< outlived at the end
};

/// Growth of a class within each window.
struct BookChange {
    std::string name;
    std::int64_t base_last = 0, now_last = 0;
    double base_rate = 0, now_rate = 0;  ///< growth per request
};

struct Difference {
    std::vector<FindingChange> findings;
    std::vector<SiteChange> sites;  ///< those that outlive requests on a side
    std::vector<BookChange> books;  ///< empty if a side has no readings
};

/// Each list begins with what changed most per request; of equals the order is that of the names.
Difference compare(const Side& base, const Side& now);

std::string compare_text(const Side& base, const Side& now, const Difference& difference);
/// "asrtrace.diff/1"
std::string compare_json(const Side& base, const Side& now, const Difference& difference);

}  // namespace asrtrace::compare
