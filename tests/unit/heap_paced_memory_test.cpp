// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A large heap is read with breaks, and all of it is read.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "user/heap/paced_memory.h"

namespace asrtrace::heap {
namespace {

using Clock = PacedMemory::Clock;

/// Memory whose first bytes are the low ones of their addresses, and that takes its time.
class SlowMemory : public TargetMemory {
  public:
    std::chrono::microseconds takes{100};
    Clock::duration took{};  ///< by all reads since this was set to zero

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override {
        const auto begin = Clock::now();
        std::this_thread::sleep_for(takes);
        for (std::uint8_t& byte : out.first(std::min<std::size_t>(out.size(), 16)))
            byte = static_cast<std::uint8_t>(address++);
        took += Clock::now() - begin;
        return out.size();
    }
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end, bool) override {
        return std::vector<PageRange>{{begin, end, PageKind::kAnonymous}};
    }
    std::uint64_t page_size() const override { return 4096; }
};

struct PacedMemoryTest : testing::Test {
    struct Break {
        Clock::duration rest, reading, since_the_last;
    };
    void take_break(Clock::duration rest) {
        const auto now = Clock::now();
        breaks.push_back({rest, slow.took, now - last});
        slow.took = {};
        last = now;
    }

    SlowMemory slow;
    std::vector<Break> breaks;
    Clock::time_point last = Clock::now();
    PacedMemory paced{slow, [this](auto time) { take_break(time); }};
    std::vector<std::uint8_t> out = std::vector<std::uint8_t>(PacedMemory::kStretchBytes / 4);
};

TEST_F(PacedMemoryTest, RestsTwiceAsLongAsItRead) {
    for (unsigned i = 0; i < 12; ++i) {
        ASSERT_EQ(paced.read(i, out), out.size());
        ASSERT_EQ(out[5], i + 5);
    }
    ASSERT_EQ(breaks.size(), 3U);
    for (const Break& each : breaks) {
        EXPECT_GE(each.rest, std::min(2 * each.reading, PacedMemory::kLongestRest));
        EXPECT_LE(each.rest, 2 * each.since_the_last);
    }
}

TEST_F(PacedMemoryTest, TheCpuThatOthersTookIsNoReasonForALongBreak) {
    slow.takes = std::chrono::milliseconds(8);
    for (int i = 0; i < 4; ++i) paced.read(0, out);
    ASSERT_EQ(breaks.size(), 1U);
    EXPECT_EQ(breaks[0].rest, std::chrono::milliseconds(8));
}

TEST_F(PacedMemoryTest, CountsPieces) {
    const std::vector<Piece> pieces(4, Piece{7, out.size() / 4});
    for (int i = 0; i < 4; ++i) paced.read_pieces(pieces, out);
    EXPECT_EQ(breaks.size(), 1U);
    EXPECT_EQ(out[out.size() / 4], 7);
}

TEST_F(PacedMemoryTest, DoesNotRestForWhatIsSmall) {
    std::vector<std::uint8_t> word(8);
    for (int i = 0; i < 100; ++i) paced.read(0, word);
    EXPECT_TRUE(breaks.empty());
    const auto pages = paced.pages(4096, 8192, true);
    ASSERT_TRUE(pages.ok());
    EXPECT_EQ((*pages)[0].end, 8192U);
    EXPECT_EQ(paced.page_size(), 4096U);
}

}  // namespace
}  // namespace asrtrace::heap
