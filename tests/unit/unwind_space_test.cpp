// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include <vector>

#include "bpf/unwind.h"
#include "tests/unit/unwind_banks.h"
#include "user/unwind/space.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kChunkBytes = UNWIND_CHUNK_BYTES;

TEST(Space, SmallDataShareAChunkAndNeverCrossOne) {
    MemoryBanks banks;
    Space space(banks);
    for (int i = 0; i < 200; ++i) {
        const auto extent = space.allocate(5000);
        ASSERT_TRUE(extent);
        const std::uint64_t first = extent->cell * 8 / kChunkBytes;
        EXPECT_EQ(first, (extent->cell * 8 + 4999) / kChunkBytes);
    }
    EXPECT_EQ(banks.banks.size(), 1U);
    EXPECT_EQ(space.used_bytes(), 200U * 5000);
}

TEST(Space, LargeDataBeginAtAChunkAndMayCrossBanks) {
    MemoryBanks banks;
    Space space(banks);
    ASSERT_TRUE(space.allocate(100));
    std::vector<std::uint8_t> data(UNWIND_BANK_CHUNKS * kChunkBytes + 100);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 7 / 3);
    const auto extent = space.allocate(data.size());
    ASSERT_TRUE(extent);
    EXPECT_EQ(extent->cell % UNWIND_CHUNK_CELLS, 0U);
    space.write(*extent, data);
    ASSERT_EQ(banks.banks.size(), 2U);
    for (std::size_t i = 0; i < data.size(); i += 997) {
        ASSERT_EQ(banks.byte(extent->cell * 8 + i), data[i]) << i;
    }
}

TEST(Space, ReleasedRoomIsUsedAgain) {
    MemoryBanks banks;
    Space space(banks);
    std::vector<Extent> extents;
    for (int round = 0; round < 20; ++round) {
        for (std::uint64_t i = 0; i < 40; ++i) {
            extents.push_back(*space.allocate(1000 + i * 3000));
        }
        for (const Extent& extent : extents) space.release(extent);
        extents.clear();
    }
    EXPECT_EQ(space.used_bytes(), 0U);
    EXPECT_LE(banks.banks.size(), 3U);
    ASSERT_TRUE(space.allocate(banks.banks.size() * UNWIND_BANK_CHUNKS * kChunkBytes));
    EXPECT_LE(banks.banks.size(), 3U);
}

TEST(Space, RefusalOfABankIsAnError) {
    MemoryBanks banks;
    banks.limit = 1;
    Space space(banks);
    ASSERT_TRUE(space.allocate(UNWIND_BANK_CHUNKS * kChunkBytes));
    EXPECT_FALSE(space.allocate(8));
}

}  // namespace
}  // namespace asrtrace::unwind
