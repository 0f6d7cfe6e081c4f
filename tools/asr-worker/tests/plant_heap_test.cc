// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Plants against glibc's own count of its heap; not for sanitizers, which bring another heap.
#include <gtest/gtest.h>
#include <malloc.h>

#include "server/plants.h"

namespace asr {
namespace {

constexpr std::size_t kInputBytes = 32044;

TEST(PlantHeap, ALibraryLeaksEveryTime) {
    Plants plants({{PlantKind::kLibrary, 333}});
    const auto before = mallinfo2().uordblks;
    for (int i = 0; i < 20; ++i) plants.on_request(kInputBytes);
    const auto after = mallinfo2().uordblks;
    const auto truth = plants.truth().at(0);
    EXPECT_EQ(truth.kind, "library");
    EXPECT_EQ(truth.function, "asr_plant_library_request");
    EXPECT_EQ(truth.held.bytes, 6660U);
    EXPECT_EQ(truth.held.blocks, 20U);
    EXPECT_EQ(after - before, truth.held.chunk_bytes);
}

// What malloc itself counts as free grows with what the plant says that it holds, while what is in
// use stays as it is: the same number of small blocks.
TEST(PlantHeap, ARetentionHoldsFreeMemoryByAsManySmallBlocks) {
    constexpr std::size_t kWanted = 100U << 20;
    Plants plants({{PlantKind::kRetention, kWanted}});
    plants.on_request(kInputBytes);
    malloc_trim(0);  // the top chunk, too, counts as free
    const auto first = plants.truth().at(0);
    const auto before = mallinfo2();
    for (int i = 0; i < 40; ++i) plants.on_request(kInputBytes);
    const auto middle = plants.truth().at(0);
    const auto after = mallinfo2();
    EXPECT_EQ(middle.kind, "retention");
    EXPECT_EQ(middle.function, "asr::plant_retention_request");
    EXPECT_EQ(middle.held.blocks, first.held.blocks);
    const auto grown = static_cast<double>(middle.held.bytes - first.held.bytes);
    EXPECT_NEAR(static_cast<double>(middle.bytes_per_request), grown / 40, 0.05 * grown / 40);
    EXPECT_NEAR(static_cast<double>(after.fordblks - before.fordblks), grown, 0.03 * grown);
    EXPECT_LT(after.uordblks - before.uordblks, 4096U);

    for (int i = 0; i < 100; ++i) plants.on_request(kInputBytes);
    const auto full = plants.truth().at(0);
    EXPECT_NEAR(static_cast<double>(full.held.bytes), kWanted, 0.03 * kWanted);
    for (int i = 0; i < 100; ++i) plants.on_request(kInputBytes);
    EXPECT_EQ(plants.truth().at(0).held.bytes, full.held.bytes);
    EXPECT_EQ(plants.truth().at(0).held.blocks, first.held.blocks);
    EXPECT_LT(mallinfo2().arena - before.arena, kWanted + kWanted / 10);
}

}  // namespace
}  // namespace asr
