// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A large heap is read with breaks, and all of it is read.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "user/heap/paced_memory.h"

namespace asrtrace::heap {
namespace {

/// Memory whose bytes are the low ones of their addresses, and that takes its time.
class SlowMemory : public TargetMemory {
  public:
    static constexpr std::chrono::microseconds kTime{100};

    std::size_t read(std::uint64_t address, std::span<std::uint8_t> out) override {
        std::this_thread::sleep_for(kTime);
        for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(address++);
        return out.size();
    }
    Result<std::vector<PageRange>> pages(std::uint64_t begin, std::uint64_t end, bool) override {
        return std::vector<PageRange>{{begin, end, PageKind::kAnonymous}};
    }
    std::uint64_t page_size() const override { return 4096; }
};

struct PacedMemoryTest : testing::Test {
    SlowMemory slow;
    std::vector<PacedMemory::Clock::duration> rests;
    PacedMemory paced{slow, [this](auto time) { rests.push_back(time); }};
    std::vector<std::uint8_t> out = std::vector<std::uint8_t>(PacedMemory::kStretchBytes / 4);
};

TEST_F(PacedMemoryTest, RestsTwiceAsLongAsItRead) {
    for (unsigned i = 0; i < 12; ++i) {
        ASSERT_EQ(paced.read(i, out), out.size());
        ASSERT_EQ(out[5], i + 5);
    }
    // Each fourth read begins a stretch: at least three were made before.
    ASSERT_EQ(rests.size(), 3U);
    for (const auto rest : rests) {
        EXPECT_GE(rest, 2 * 3 * SlowMemory::kTime);
        EXPECT_LE(rest, PacedMemory::kLongestRest);
    }
}

TEST_F(PacedMemoryTest, CountsPieces) {
    const std::vector<Piece> pieces(4, Piece{7, out.size() / 4});
    for (int i = 0; i < 4; ++i) paced.read_pieces(pieces, out);
    EXPECT_EQ(rests.size(), 1U);
    EXPECT_EQ(out[out.size() / 4], 7);
}

TEST_F(PacedMemoryTest, DoesNotRestForWhatIsSmall) {
    std::vector<std::uint8_t> word(8);
    for (int i = 0; i < 100; ++i) paced.read(0, word);
    EXPECT_TRUE(rests.empty());
    const auto pages = paced.pages(4096, 8192, true);
    ASSERT_TRUE(pages.ok());
    EXPECT_EQ((*pages)[0].end, 8192U);
    EXPECT_EQ(paced.page_size(), 4096U);
}

}  // namespace
}  // namespace asrtrace::heap
