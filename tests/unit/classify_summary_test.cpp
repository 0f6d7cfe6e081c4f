// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Summaries of recordings with known contents.
#include "user/classify/summary.h"

#include "tests/unit/trace_fixture.h"
#include "user/classify/latency.h"

namespace asrtrace::classify {
namespace {

using trace::Script;
using trace::Writer;

ledger::Recording recorded(const Script& script, trace::Limits limits = {}) {
    auto writer = Writer::in_memory(limits);
    trace::write_script(*writer, script);
    EXPECT_TRUE(writer->finish());
    return *writer->read();
}

TEST(Summary, TheLeakIsFirstAndExact) {
    const auto summary = summarize(recorded({}));
    ASSERT_EQ(summary.heap.size(), 2U);
    EXPECT_EQ(summary.heap[0].stack, StackId(1));
    EXPECT_DOUBLE_EQ(summary.heap[0].per_request->value, 4096);
    EXPECT_DOUBLE_EQ(summary.heap[0].per_request->ci95->lo, 4096);
    EXPECT_EQ(summary.heap[0].live_blocks, 400U);
    EXPECT_EQ(summary.heap[0].allocated_bytes, 400U * 4096);
    EXPECT_DOUBLE_EQ(summary.heap[1].per_request->value, 0);
    EXPECT_TRUE(summary.heap[1].per_request->ci95->contains(0));
    EXPECT_EQ(summary.heap[1].freed_bytes, 400U * 100'000);
    EXPECT_DOUBLE_EQ(summary.heap_per_request->value, 4096);
    ASSERT_EQ(summary.faults.size(), 1U);
    EXPECT_DOUBLE_EQ(summary.faults[0].per_request->value, 4096);
    EXPECT_EQ(summary.faults[0].allocated_bytes, 400U * 4096);
    EXPECT_NEAR(*summary.attributed_fraction, 30.0 / 31, 1e-12);
    EXPECT_EQ(summary.memory.rss_anon->delta(), 39 * 40 * 1024);
    EXPECT_EQ(summary.memory.mem_available->delta(), -39 * 40 * 1024);
    EXPECT_FALSE(summary.memory.cgroup_current) << "the last sample has none";
    EXPECT_EQ(summary.memory.page_tables->delta(), 39 * 1024);
    EXPECT_EQ(summary.memory.mem_free->delta(), -39 * 40 * 1024);
    EXPECT_EQ(summary.memory.swap_used->last, 39U * 1024);
    EXPECT_EQ(summary.memory.cgroup_max->last, 1U << 30);
    EXPECT_EQ(summary.memory.cgroup_oom_kills->delta(), 1);
    EXPECT_EQ(summary.memory.cgroup_stalled_us->delta(), 39'000);
    EXPECT_NEAR(summary.rss_anon_per_request->value, 4096, 1);
}

TEST(Summary, MergingEpochsKeepsSlopes) {
    for (const std::size_t epochs : {8U, 31U, 64U, 256U}) {
        const auto merged = recorded({1500, 10, 777}, {.epochs = epochs});
        ASSERT_LE(merged.epochs.size(), epochs);
        const auto summary = summarize(merged);
        EXPECT_DOUBLE_EQ(summary.heap[0].per_request->value, 777) << epochs;
        EXPECT_DOUBLE_EQ(summary.heap[0].per_request->ci95->hi, 777) << epochs;
        EXPECT_DOUBLE_EQ(summary.faults[0].per_request->value, 4096) << epochs;
    }
}

TEST(Summary, LevelsCarryOverEpochsWithoutTheSite) {
    ledger::Recording recording;
    for (std::uint64_t i = 0; i < 20; ++i) {
        recording.epochs.push_back({i, (i + 1) * 10, 0});
        recording.site_epochs.emplace_back();
    }
    recording.site_epochs[3].push_back(
        {ledger::SiteKind::kHeap, StackId(0), 500, 5, 0, 0, 500, 5, 500, 5});
    const auto summary = summarize(recording);
    ASSERT_EQ(summary.heap.size(), 1U);
    EXPECT_EQ(summary.heap[0].outlived_bytes, 500U);
    EXPECT_EQ(summary.heap[0].per_request->value, 0) << "one step is no growth per request";
    EXPECT_FALSE(summary.heap[0].per_request->rises());
}

TEST(Summary, EpochsWithoutRequestsGiveNoSlope) {
    ledger::Recording recording;
    recording.epochs = {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}};
    recording.site_epochs.resize(3);
    recording.site_epochs[1].push_back(
        {ledger::SiteKind::kHeap, StackId(0), 500, 5, 0, 0, 500, 5, 500, 5});
    const auto summary = summarize(recording);
    EXPECT_FALSE(summary.heap[0].per_request);
    EXPECT_FALSE(summary.heap_per_request);
    EXPECT_FALSE(summary.latency);
    EXPECT_FALSE(summary.attributed_fraction);
    EXPECT_FALSE(summary.memory.rss_anon);
}

TEST(Latency, PercentilesByNearestRankOverKeptAndDroppedRequests) {
    ledger::Recording recording;
    for (std::uint64_t i = 1; i <= 50; ++i) {
        ledger::Request request;
        request.begin_ns = 1000;
        request.end_ns = 1000 + i;
        recording.requests.push_back(request);
    }
    for (std::uint64_t i = 51; i <= 100; ++i) recording.dropped_latencies.push_back({i, 1});
    const auto got = latency(recording);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->p50_ns, 50U);
    EXPECT_EQ(got->p95_ns, 95U);
    EXPECT_EQ(got->p99_ns, 99U);
    recording.requests[0].end_ns = 0;  // ends before it begins: a damaged row
    EXPECT_TRUE(latency(recording));
    recording.dropped_latencies[0].count = ~std::uint64_t{0};
    EXPECT_TRUE(latency(recording));
}

}  // namespace
}  // namespace asrtrace::classify
