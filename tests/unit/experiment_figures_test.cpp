// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory over time, in figures.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/experiment_fixture.h"
#include "user/experiment/figures.h"

namespace asrtrace::experiment {
namespace {

/// Idle from -3 s at 10 MiB, 20 requests/s for 10 s, idle again at 15 MiB. In the load 40 MiB and
/// `growth` bytes for each request that has ended; every third moment catches one at work.
std::vector<Moment> run_that_grows(double growth) {
    std::vector<Moment> moments;
    for (int tenth = -30; tenth <= 130; ++tenth) {
        Moment at{.seconds = tenth / 10.0};
        at.requests = static_cast<std::uint64_t>(std::clamp(2 * tenth, 0, 200));
        at.pss_bytes = tenth < 0     ? 10 * kMib
                       : tenth > 100 ? 15 * kMib
                                     : 40 * kMib + growth * static_cast<double>(at.requests) +
                                           (tenth % 3 == 0 ? 20 * kMib : 0);
        moments.push_back(at);
    }
    return moments;
}

TEST(ExperimentFigures, MemoryOverTime) {
    Figures figures;
    take_memory(figures, run_that_grows(10'000), 10);
    EXPECT_EQ(figures.start_bytes, 10 * kMib);
    EXPECT_NEAR(figures.plateau_bytes, 40 * kMib + 10'000 * 175, 0.5 * kMib);
    EXPECT_NEAR(figures.peak_bytes, 60 * kMib + 10'000 * 198, 1);
    EXPECT_NEAR(figures.growth_per_request, 10'000, 100) << "requests at work do not count";
    EXPECT_GT(figures.growth_lo, 0);
    EXPECT_GE(figures.growth_hi, figures.growth_per_request);
}

TEST(ExperimentFigures, FlatMemoryDoesNotGrow) {
    Figures figures;
    take_memory(figures, run_that_grows(0), 10);
    EXPECT_EQ(figures.growth_per_request, 0);
    EXPECT_LE(figures.growth_lo, 0);
}

TEST(ExperimentFigures, NothingSeenIsNoError) {
    Figures figures;
    take_memory(figures, {}, 10);
    EXPECT_EQ(figures.peak_bytes, 0);
    EXPECT_EQ(figures.growth_hi, 0);
}

TEST(ExperimentFigures, MediansOfRounds) {
    auto with_heap = figures(3, 30);
    with_heap.retained_bytes = 7;
    const auto median = median_of({figures(1, 10), with_heap, figures(2, 50)});
    EXPECT_EQ(median.peak_bytes, 2 * kMib);
    EXPECT_EQ(median.p95_ms, 30);
    EXPECT_EQ(median.retained_bytes, 7) << "of the rounds that know it";
    EXPECT_FALSE(median.trimmed_bytes);
}

}  // namespace
}  // namespace asrtrace::experiment
