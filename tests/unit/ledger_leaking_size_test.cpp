// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/leaking_size.h"

#include <gtest/gtest.h>

namespace asrtrace::ledger {
namespace {

BlocksBySize blocks(std::uint64_t few, std::uint64_t many) {
    return {{1040, few}, {272, many}};
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
    const auto sizes = leaking.next({{32, 3}});
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
