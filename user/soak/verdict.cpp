// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/soak/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

namespace asrtrace::soak {
namespace {

constexpr std::int64_t kMib = 1024;
constexpr std::int64_t kGib = 1024 * kMib;

std::int64_t percent_of(std::int64_t value, std::int64_t percent) {
    return value * percent / 100;
}

/// The middle value, of an even number of values the mean of the two, truncated. Not empty.
std::int64_t median(std::vector<std::int64_t> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 == 1) return values[middle];
    return (values[middle - 1] + values[middle]) / 2;
}

WindowMedians medians_of(const std::vector<Row>& rows, const Window& window) {
    WindowMedians out{window, 0, {}};
    std::array<std::vector<std::int64_t>, kColumns.size()> values;
    for (const Row& row : rows) {
        if (!window.contains(row.ts - rows.front().ts)) continue;
        for (std::size_t i = 0; i < kColumns.size(); ++i)
            values[i].push_back(row.*kColumns[i].value);
    }
    out.rows = values.front().size();
    for (std::size_t i = 0; i < kColumns.size() && out.rows > 0; ++i)
        out.median.*kColumns[i].value = median(std::move(values[i]));
    return out;
}

/// Between rows: the median of what lies between any two neighbours, at least 1.
std::int64_t usual_step(const std::vector<Row>& rows) {
    std::vector<std::int64_t> steps;
    for (std::size_t i = 1; i < rows.size(); ++i) steps.push_back(rows[i].ts - rows[i - 1].ts);
    return steps.empty() ? 1 : std::max<std::int64_t>(1, median(std::move(steps)));
}

std::optional<Error> gap_in(const std::vector<Row>& rows, std::int64_t step) {
    for (std::size_t i = 1; i < rows.size(); ++i) {
        if (rows[i].ts - rows[i - 1].ts <= kMostSteps * step) continue;
        return Error{fmt::format(
            "gap: no row between {} s and {} s (lines {} and {}), where one "
            "every {} s was expected",
            rows[i - 1].ts - rows.front().ts, rows[i].ts - rows.front().ts, i + 1, i + 2, step)};
    }
    return std::nullopt;
}

std::string without_rows(const Verdict& verdict) {
    std::string names;
    for (const WindowMedians& at : verdict.windows) {
        if (at.rows > 0) continue;
        names += fmt::format("{}{} [{},{})", names.empty() ? "" : ", ", at.window.name,
                             at.window.begin, at.window.end);
    }
    return names;
}

/// What the rows lack for a verdict.
std::optional<Error> missing(const std::vector<Row>& rows, const Verdict& verdict) {
    constexpr const char* kRemedy =
        "record a whole run, or give its phases (--baseline, --load, --recovery, --scale)";
    if (auto gap = gap_in(rows, verdict.step)) return gap;
    const std::string empty = without_rows(verdict);
    if (verdict.planned_seconds - verdict.seconds > kMostSteps * verdict.step)
        return Error{fmt::format("short: the last row is at {} s of {} s{}{}; {}", verdict.seconds,
                                 verdict.planned_seconds,
                                 empty.empty() ? "" : ", no rows in window ", empty, kRemedy)};
    if (!empty.empty()) return Error{fmt::format("no rows in window {}; {}", empty, kRemedy)};
    return std::nullopt;
}

Check grown(std::int64_t early, std::int64_t late, const Check& limits) {
    Check check = limits;
    check.change = late - early;
    check.grade = check.change <= check.pass_limit   ? Grade::kPass
                  : check.change <= check.warn_limit ? Grade::kWarn
                                                     : Grade::kFail;
    return check;
}

void grade_available(Verdict& verdict) {
    const Row& baseline = verdict.windows[kBaseline].median;
    const std::int64_t late = verdict.windows[kLate].median.mem_available;
    const std::int64_t total = baseline.mem_total;
    verdict.available_floors = {percent_of(total, 20), percent_of(total, 15)};
    Check& check = verdict.mem_available;
    check = grown(late, baseline.mem_available,
                  {.pass_limit = std::min(kGib, percent_of(total, 5)),
                   .warn_limit = std::min(2 * kGib, percent_of(total, 10))});
    if (late < verdict.available_floors.pass) check.grade = std::max(check.grade, Grade::kWarn);
    if (late < verdict.available_floors.warn) check.grade = Grade::kFail;
    check.grade = std::max(check.grade, verdict.swap);
}

Pattern pattern_of(const Verdict& verdict) {
    const Row& early = verdict.windows[kEarly].median;
    const Row& late = verdict.windows[kLate].median;
    const Row& recovery = verdict.windows[kRecovery].median;
    if (verdict.overall == Grade::kPass && recovery.pss <= late.pss) return Pattern::kPlateau;
    const std::int64_t file_growth = late.rss_file - early.rss_file;
    const bool much_available = late.mem_available >= verdict.available_floors.pass;
    if (much_available && file_growth > 0 && file_growth > verdict.rss_anon.change)
        return Pattern::kFile;
    const bool both_rose = verdict.pss.change > 0 && verdict.rss_anon.change > 0;
    const std::int64_t moved = std::max(recovery.pss - late.pss, late.pss - recovery.pss);
    if (both_rose && moved <= percent_of(verdict.pss.change, 10)) return Pattern::kRetained;
    return Pattern::kNone;
}

}  // namespace

const char* grade_name(Grade grade) {
    constexpr std::array<const char*, 3> kNames = {"PASS", "WARN", "FAIL"};
    return kNames.at(static_cast<std::size_t>(grade));
}

const char* pattern_name(Pattern pattern) {
    constexpr std::array<const char*, 4> kNames = {"none", "A", "B", "C"};
    return kNames.at(static_cast<std::size_t>(pattern));
}

Result<Verdict> judge(const std::vector<Row>& rows, const Plan& plan) {
    if (rows.empty()) return Error{"short: no rows below the header"};
    Verdict verdict;
    verdict.rows = rows.size();
    verdict.step = plan.step().value_or(usual_step(rows));
    verdict.seconds = rows.back().ts - rows.front().ts;
    verdict.planned_seconds = plan.seconds();
    const auto windows = windows_of(plan);
    for (std::size_t i = 0; i < kWindows; ++i) verdict.windows[i] = medians_of(rows, windows[i]);
    if (auto lacking = missing(rows, verdict)) return *std::move(lacking);

    for (const Row& row : rows) verdict.most_swap = std::max(verdict.most_swap, row.vm_swap);
    verdict.swap = verdict.most_swap > 0 ? Grade::kFail : Grade::kPass;
    const Row& early = verdict.windows[kEarly].median;
    const Row& late = verdict.windows[kLate].median;
    verdict.pss = grown(early.pss, late.pss,
                        {.pass_limit = std::max(percent_of(early.pss, 10), 150 * kMib),
                         .warn_limit = std::max(percent_of(early.pss, 20), 300 * kMib)});
    verdict.rss_anon = grown(early.rss_anon, late.rss_anon,
                             {.pass_limit = std::max(percent_of(early.rss_anon, 15), 200 * kMib),
                              .warn_limit = std::max(percent_of(early.rss_anon, 30), 400 * kMib)});
    grade_available(verdict);
    verdict.overall = std::max(
        {verdict.pss.grade, verdict.rss_anon.grade, verdict.mem_available.grade, verdict.swap});
    verdict.pattern = pattern_of(verdict);
    return verdict;
}

}  // namespace asrtrace::soak
