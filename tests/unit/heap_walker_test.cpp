// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Walks that went wrong once.
#include <gtest/gtest.h>

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
    Status walk(std::uint64_t top, bool end_known) {
        auto residency = Residency::read(image, image.maps());
        WalkLimits limits;
        limits.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        segment.begin = segment.first = kBase;
        segment.end = kEnd;
        segment.end_known = end_known;
        Walker walker(image, *residency, limits, table);
        return walker.walk(segment, top, false);
    }
    ImageMemory image;
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

}  // namespace
}  // namespace asrtrace::heap
