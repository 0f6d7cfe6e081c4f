// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Walks that went wrong once.
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "user/heap/image.h"
#include "user/heap/walker.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kBase = 0x555500000000;
constexpr std::uint64_t kEnd = kBase + 0x20000;

struct WalkerTest : testing::Test {
    WalkerTest() {
        image.set_maps("555500000000-555500020000 rw-p 00000000 00:00 0 [heap]\n");
        for (std::uint64_t at = kBase; at < kEnd; at += ImageMemory::kPage) image.touch(at);
    }
    Status walk(std::uint64_t top, bool end_known) { return walk(top, end_known, 0); }
    Status walk(std::uint64_t top, bool end_known, unsigned step_backs) {
        auto residency = Residency::read(image, image.maps());
        WalkLimits limits;
        limits.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        limits.step_backs = step_backs;
        segment.begin = segment.first = kBase;
        segment.end = kEnd;
        segment.end_known = end_known;
        if (touched_later != 0) image.touch(touched_later);
        for (const auto& [address, word] : written_later) image.put(address, word);
        Walker walker(image, *residency, limits, table);
        const Status walked = walker.walk(segment, top, false);
        steps_back = walker.steps_back();
        return walked;
    }
    ImageMemory image;
    std::uint64_t touched_later = 0;  ///< since the reading began
    std::map<std::uint64_t, std::uint64_t> written_later;
    unsigned steps_back = 0;
    Segment segment;
    ChunkTable table;
};

TEST_F(WalkerTest, ALinkOnThePageBehindTheHeader) {
    const std::uint64_t free = kBase + 0xaff0;  // far enough for a window of one page
    image.put(kBase + 8, 0xaff0 | kPrevInUse);
    image.put(free + 8, 0x1000 | kPrevInUse);
    image.put(free + 16, 0x1234567890);
    image.put(free + 0x1000, 0x1000);  // prev_size
    image.put(free + 0x1008, 0x40);
    image.put(free + 0x1048, (kEnd - free - 0x1040) | kPrevInUse);
    const Status walked = walk(free + 0x1040, true);
    ASSERT_TRUE(walked.ok()) << walked.error().message;
    ASSERT_EQ(table.size(), 3U);
    EXPECT_TRUE(table.is(1, kInBin));
    EXPECT_EQ(table.link(1), 0x1234567890U);
}

TEST_F(WalkerTest, AFenceOfThreeBehindATopThatWasTooSmall) {
    image.put(kBase + 8, (0x5000 - 0x30) | kPrevInUse);
    for (std::uint64_t at = 0x30; at > 0; at -= 0x10) {
        image.put(kBase + 0x5000 - at + 8, 0x10 | kPrevInUse);
    }
    const Status walked = walk(0, false);
    ASSERT_TRUE(walked.ok()) << walked.error().message;
    EXPECT_EQ(segment.end, kBase + 0x5000);
    EXPECT_FALSE(segment.has_top);
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(WalkerTest, ARunningTargetTouchesAPageMeanwhile) {
    const std::uint64_t fresh = kBase + 0x8000;
    image.forget(fresh);
    image.put(kBase + 8, 0x8010 | kPrevInUse);
    touched_later = fresh;
    written_later = {{fresh + 0x18, 0x1000 | kPrevInUse},
                     {fresh + 0x1018, (kEnd - fresh - 0x1010) | kPrevInUse}};
    const Status walked = walk(fresh + 0x1010, true, 100);
    ASSERT_TRUE(walked.ok()) << walked.error().message;
    EXPECT_EQ(table.size(), 2U);
    EXPECT_EQ(steps_back, 1U);
}

TEST_F(WalkerTest, ARunningTargetCutsChunksOffItsTop) {
    const std::uint64_t top = kBase + 0x1000;
    image.put(kBase + 8, 0x1000 | kPrevInUse);
    written_later = {{top + 8, 0x60000 | kPrevInUse}};  // and has grown its heap for it
    const Status walked = walk(top, true, 100);
    ASSERT_TRUE(walked.ok()) << walked.error().message;
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(segment.last_end, top);
    EXPECT_EQ(segment.end, kEnd);
    EXPECT_TRUE(segment.has_top);
}

TEST_F(WalkerTest, AHeapThatHasOutgrownTheReadingIsGivenUp) {
    image.put(kBase + 8, 0x2000 | kPrevInUse);
    image.put(kBase + 0x2008, 0x60000 | kPrevInUse);
    const Status walked = walk(kBase + 0x1000, true, 2000);
    ASSERT_FALSE(walked.ok());
    EXPECT_EQ(walked.error().message, "a chunk larger than its heap (at 0x555500002000)");
    EXPECT_LE(steps_back, 2U);
}

TEST_F(WalkerTest, AFaultThatStaysIsGivenUp) {
    image.put(kBase + 8, 0x2000 | kPrevInUse);
    image.put(kBase + 0x2008, 0x18 | kPrevInUse);
    const auto begin = std::chrono::steady_clock::now();
    const Status walked = walk(kBase + 0x5000, true, 1U << 31);
    ASSERT_FALSE(walked.ok());
    EXPECT_EQ(walked.error().message, "a chunk of impossible size (at 0x555500002000)");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

}  // namespace
}  // namespace asrtrace::heap
