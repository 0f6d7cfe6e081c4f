// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Is a worker healthy? The medians of four windows of its memory, compared by fixed thresholds.
// Pure functions of the rows: no clock, no files. All memory is in KiB; medians and thresholds are
// truncated to whole KiB.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "user/base/result.h"
#include "user/soak/memory_csv.h"
#include "user/soak/plan.h"

namespace asrtrace::soak {

enum class Grade : std::uint8_t { kPass, kWarn, kFail };
const char* grade_name(Grade grade);  ///< "PASS", "WARN", "FAIL"

/// A change and the largest one for PASS and for WARN.
struct Check {
    Grade grade = Grade::kPass;
    std::int64_t change = 0;
    std::int64_t pass_limit = 0;
    std::int64_t warn_limit = 0;
};

/// What the late window must leave available, for PASS and for WARN.
struct Floors {
    std::int64_t pass = 0;
    std::int64_t warn = 0;
};

enum class Pattern : std::uint8_t {
    kNone,
    kPlateau,   ///< A: PASS, and PSS after the load is at or below that of its end
    kFile,      ///< B: RssFile grew, and more than RssAnon, while memory is available
    kRetained,  ///< C: PSS and RssAnon grew, and PSS stays within 10 % of that growth
};
const char* pattern_name(Pattern pattern);  ///< "none", "A", "B", "C"

struct WindowMedians {
    Window window;
    std::size_t rows = 0;
    Row median;  ///< of each column by itself
};

struct Verdict {
    Grade overall = Grade::kPass;
    Check pss;            ///< growth, early to late
    Check rss_anon;       ///< likewise
    Check mem_available;  ///< drop, baseline to late; its grade knows the floors and swap
    Floors available_floors;
    Grade swap = Grade::kPass;
    std::int64_t most_swap = 0;  ///< over all rows
    Pattern pattern = Pattern::kNone;
    std::array<WindowMedians, kWindows> windows;
    std::size_t rows = 0;
    std::int64_t step = 0;     ///< seconds between rows
    std::int64_t seconds = 0;  ///< from the first row to the last
    std::int64_t planned_seconds = 0;
};

/// More than so many steps without a row are a gap.
constexpr std::int64_t kMostSteps = 3;

/// Judges rows whose times do not run backwards, and whose values are at most kMostValue. Error,
/// which names it: a gap, a file that ends before the plan does, a window without rows.
Result<Verdict> judge(const std::vector<Row>& rows, const Plan& plan);

}  // namespace asrtrace::soak
