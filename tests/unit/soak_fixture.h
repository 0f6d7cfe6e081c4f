// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Synthetic runs: a value for each window, and rows of the default run that have it there.
#pragma once

#include <array>
#include <vector>

#include "user/soak/verdict.h"

namespace asrtrace::soak {

constexpr std::int64_t kMibKb = 1024;
constexpr std::int64_t kGibKb = 1024 * kMibKb;
constexpr std::int64_t kStart = 1'700'000'000;

/// Values of the windows, in their order.
using Windowed = std::array<std::int64_t, kWindows>;

struct SyntheticRun {
    Windowed pss = {500'000, 500'000, 500'000, 500'000};
    Windowed rss_anon = {400'000, 400'000, 400'000, 400'000};
    Windowed rss_file = {90'000, 90'000, 90'000, 90'000};
    Windowed available = {8 * kGibKb, 8 * kGibKb, 8 * kGibKb, 8 * kGibKb};
    std::int64_t total = 16 * kGibKb;
};

/// A row every 5 s. Outside of the windows all memory is absurdly high: no row there may count.
inline std::vector<Row> rows_of(const SyntheticRun& run, const Plan& plan = {},
                                std::int64_t step = 5) {
    constexpr std::int64_t kElsewhere = 999'999'999;
    const auto windows = windows_of(plan);
    std::vector<Row> rows;
    for (std::int64_t t = 0; t < plan.seconds(); t += step) {
        Row row{kStart + t, kElsewhere, kElsewhere, kElsewhere, 0,
                0,          kElsewhere, kElsewhere, kElsewhere};
        for (std::size_t i = 0; i < kWindows; ++i) {
            if (!windows[i].contains(t)) continue;
            row.vm_rss = run.rss_anon[i] + run.rss_file[i];
            row.rss_anon = run.rss_anon[i];
            row.rss_file = run.rss_file[i];
            row.pss = run.pss[i];
            row.mem_available = run.available[i];
            row.mem_total = run.total;
        }
        rows.push_back(row);
    }
    return rows;
}

inline Verdict judged(const SyntheticRun& run) {
    return *judge(rows_of(run), {});
}

}  // namespace asrtrace::soak
