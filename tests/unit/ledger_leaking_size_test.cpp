// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/leaking_size.h"

#include <gtest/gtest.h>

#include <vector>

namespace asrtrace::ledger {
namespace {

std::vector<LostBlock> blocks(std::uint64_t few, std::uint64_t many) {
    std::vector<LostBlock> lost;
    for (std::uint64_t i = 0; i < few; ++i) lost.push_back({0x1000 + i, 1040});
    for (std::uint64_t i = 0; i < many; ++i) lost.push_back({0x9000 + i, 272});
    return lost;
}

TEST(LeakingSize, IsTheClassThatGrewMost) {
    LeakingSize leaking;
    EXPECT_FALSE(leaking.next(blocks(50, 3)));  // what was lost before says nothing
    EXPECT_FALSE(leaking.next(blocks(50, 4)));  // one block may be a pointer in flight
    const auto sizes = leaking.next(blocks(51, 9));
    ASSERT_TRUE(sizes);
    EXPECT_EQ(sizes->low, 249U);
    EXPECT_EQ(sizes->high, 264U);
}

TEST(LeakingSize, TheSmallestChunkHoldsAllSmallSizes) {
    LeakingSize leaking;
    EXPECT_FALSE(leaking.next({}));
    const std::vector<LostBlock> lost{{0x10, 32}, {0x30, 32}, {0x50, 32}};
    const auto sizes = leaking.next(lost);
    ASSERT_TRUE(sizes);
    EXPECT_EQ(sizes->low, 0U);
    EXPECT_EQ(sizes->high, 24U);
}

TEST(LeakingSize, BytesDecideAndNotBlocks) {
    LeakingSize leaking;
    EXPECT_FALSE(leaking.next({}));
    EXPECT_EQ(leaking.next(blocks(10, 30))->high, 1032U);
}

}  // namespace
}  // namespace asrtrace::ledger
