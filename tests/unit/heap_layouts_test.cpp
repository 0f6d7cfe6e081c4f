// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every layout of the table is found, told from the others and counted right.
#include <gtest/gtest.h>

#include "tests/unit/heap_image_builder.h"
#include "tests/unit/heap_image_census.h"

namespace asrtrace::heap {
namespace {

class Layouts : public testing::TestWithParam<std::size_t> {};

TEST_P(Layouts, IsFoundAndCounted) {
    const Layout& layout = layouts()[GetParam()];
    BuiltHeap built;
    build_heap(layout, built);
    for (bool still : {true, false}) {
        const ImageOutcome outcome = image_census(built.image, still, std::chrono::seconds(5));
        ASSERT_TRUE(outcome.census) << layout.name << ": " << outcome.reason;
        const Census& census = *outcome.census;
        EXPECT_EQ(census.layout, layout.name);
        EXPECT_EQ(census.totals.system, built.system);
        EXPECT_EQ(census.totals.top, built.top);
        EXPECT_EQ(census.totals.fastbin, built.fastbin);
        EXPECT_EQ(census.totals.tcache, built.tcache);
        EXPECT_EQ(census.totals.free, built.in_bins + built.fastbin + built.top);
        EXPECT_EQ(census.totals.mmapped_bytes, built.mapped_bytes);
        EXPECT_EQ(census.totals.mmapped_chunks, built.mapped_chunks);
        EXPECT_EQ(census.arenas.size(), 2U);
    }
}

TEST_P(Layouts, OneChunkIsUnreachable) {
    BuiltHeap built;
    build_heap(layouts()[GetParam()], built);
    const ImageOutcome outcome = image_census(built.image, true, std::chrono::seconds(5));
    ASSERT_TRUE(outcome.census) << outcome.reason;
    const Reach& reach = *outcome.census->reach;
    ASSERT_EQ(reach.leaked.size(), 1U);
    EXPECT_EQ(reach.leaked[0].address, built.leaked_address);
    EXPECT_EQ(reach.leaked[0].bytes, built.leaked_bytes);
}

TEST_P(Layouts, SurvivesBeingWrittenAndReadBack) {
    BuiltHeap built;
    build_heap(layouts()[GetParam()], built);
    const auto bytes = built.image.serialize();
    auto again = ImageMemory::parse(bytes);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ((*again)->serialize(), bytes);
    EXPECT_TRUE(image_census(**again, true, std::chrono::seconds(5)).census);
    EXPECT_FALSE(ImageMemory::parse(Bytes(bytes).first(bytes.size() / 2)).ok());
}

INSTANTIATE_TEST_SUITE_P(All, Layouts, testing::Range<std::size_t>(0, 6));

TEST(BinIndex, IsGlibcs) {
    // malloc/malloc.c largebin_index_64, by hand
    EXPECT_EQ(bin_index(0x20), 2U);
    EXPECT_EQ(bin_index(1008), 63U);
    EXPECT_EQ(bin_index(1024), 64U);
    EXPECT_EQ(bin_index(3136), 97U);
    EXPECT_EQ(bin_index(4096), 99U);
    EXPECT_EQ(bin_index(1 << 20), 126U);
}

TEST(SizeClass, HoldsItsSizes) {
    std::uint64_t last = 0;
    for (std::uint64_t bytes = 16; bytes < 1 << 20; bytes += 16) {
        const std::uint64_t upper = size_class(bytes);
        EXPECT_GE(upper, bytes);
        EXPECT_GE(upper, last);
        EXPECT_LE(upper - bytes, std::max<std::uint64_t>(15, bytes / 8));
        last = upper;
    }
}

}  // namespace
}  // namespace asrtrace::heap
