// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A stopped census equals the target's own mallinfo2() to the byte.
#include <gtest/gtest.h>

#include "tests/live/heap_target_process.h"
#include "user/heap/heap_reader.h"

namespace asrtrace::heap {
namespace {

CensusOutcome stopped_census(pid_t pid) {
    CensusOptions options;
    options.stop = true;
    return HeapReader(pid, options).take();
}

void expect_equal(const CensusTotals& t, TargetProcess::Answer info) {
    EXPECT_EQ(t.system, info["arena"]);
    EXPECT_EQ(t.free_chunks, info["ordblks"]);
    EXPECT_EQ(t.fastbin_chunks, info["smblks"]);
    EXPECT_EQ(t.mmapped_chunks, info["hblks"]);
    EXPECT_EQ(t.mmapped_bytes, info["hblkhd"]);
    EXPECT_EQ(t.fastbin, info["fsmblks"]);
    EXPECT_EQ(t.in_use, info["uordblks"] + info["hblkhd"]);
    EXPECT_EQ(t.free, info["fordblks"]);
    EXPECT_EQ(t.keepcost, info["keepcost"]);
}

struct Kind {
    const char* name;
    const char* program;
    const char* kind;
};

class Exact : public testing::TestWithParam<Kind> {};

TEST_P(Exact, EqualsMallinfo) {
    TargetProcess target({program(GetParam().program), GetParam().kind, fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    const auto info = target.ask("info");
    const CensusOutcome outcome = stopped_census(target.pid());
    ASSERT_TRUE(outcome.census) << outcome.failure.reason;
    expect_equal(outcome.census->totals, info);
    // What is live beyond the program's own blocks: libc's, the threads', and tcache structures.
    const std::uint64_t live = outcome.census->totals.live;
    const std::uint64_t own = info.at("live") + info.at("planted");
    EXPECT_GE(live, own);
    // Aligned blocks waste up to their alignment in front of them.
    const bool aligned = std::string(GetParam().kind) == "aligned";
    EXPECT_LT(live - own, aligned ? 60U << 20 : 600000U);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Exact,
    testing::Values(Kind{"threads", "heap_target", "threads"},
                    Kind{"single", "heap_target", "single"},
                    Kind{"stripped", "heap_target_stripped", "threads"},
                    Kind{"static", "heap_target_static", "single"},
                    Kind{"static_stripped", "heap_target_static_stripped", "threads"},
                    Kind{"static_pie", "heap_target_static_pie", "aligned"},
                    Kind{"noncontiguous", "heap_target", "noncontiguous"},
                    Kind{"static_noncontiguous", "heap_target_static", "noncontiguous"},
                    Kind{"foreign_sbrk", "heap_target", "foreign"},
                    Kind{"aligned", "heap_target", "aligned"},
                    Kind{"leaks", "heap_target", "leaks"}),
    [](const auto& kind) { return std::string(kind.param.name); });

TEST(ExactCensus, EqualsMallinfoOfPython) {
    // mallinfo2 through ctypes; the buffers are made beforehand, so that asking changes nothing.
    const char* script = R"(
import ctypes, sys, os, random
class Info(ctypes.Structure):
    _fields_ = [(n, ctypes.c_size_t) for n in 'arena ordblks smblks hblks hblkhd usmblks fsmblks '
                'uordblks fordblks keepcost'.split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
keep = [bytes(random.randrange(1, 5000)) for _ in range(50000)]
for i in range(0, len(keep), 3): keep[i] = None
big = [bytearray(random.randrange(200000, 3000000)) for _ in range(20)]
def answer():
    m = libc.mallinfo2()
    return ' '.join('%s=%d' % (f, getattr(m, f)) for f, _ in Info._fields_) + '\n'
answer(); answer()
os.write(1, b'ready=1\n')
while os.read(0, 5):
    os.write(1, answer().encode())
)";
    TargetProcess target({"/usr/bin/python3", "-c", script});
    ASSERT_GT(target.pid(), 0);
    target.ask("info");
    const auto info = target.ask("info");
    const CensusOutcome outcome = stopped_census(target.pid());
    ASSERT_TRUE(outcome.census) << outcome.failure.reason;
    // What asking itself took and gave back after it had read the figures may stay in a tcache.
    EXPECT_EQ(outcome.census->totals.system, info.at("arena"));
    EXPECT_EQ(outcome.census->totals.in_use, info.at("uordblks") + info.at("hblkhd"));
    EXPECT_EQ(outcome.census->totals.mmapped_bytes, info.at("hblkhd"));
    EXPECT_EQ(outcome.census->totals.free, info.at("fordblks"));
}

TEST(ExactCensus, TellsTcacheApart) {
    TargetProcess target({program("heap_target"), "single", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    target.ask("fill");
    const auto filled = target.ask("fill");  // the second time nothing else moves in or out
    const CensusOutcome outcome = stopped_census(target.pid());
    ASSERT_TRUE(outcome.census) << outcome.failure.reason;
    EXPECT_GE(outcome.census->totals.tcache, filled.at("tcache"));
    const auto info = target.ask("info");
    const CensusTotals& t = outcome.census->totals;
    EXPECT_EQ(t.live, info.at("uordblks") + info.at("hblkhd") - t.tcache);
}

TEST(ExactCensus, LeavesTheTargetRunning) {
    TargetProcess target({program("heap_target"), "churn", fresh_seed()});
    ASSERT_GT(target.pid(), 0);
    for (int i = 0; i < 5; ++i) {
        const CensusOutcome outcome = stopped_census(target.pid());
        ASSERT_TRUE(outcome.census) << outcome.failure.reason;
        EXPECT_GT(outcome.census->totals.pause_ms, 0);
        EXPECT_FALSE(target.ask("alive 0").empty());
    }
}

}  // namespace
}  // namespace asrtrace::heap
