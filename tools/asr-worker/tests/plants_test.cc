// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plants.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace asr {
namespace {

constexpr std::size_t kInputBytes = 32044;

TEST(Plants, ParsesSpecs) {
    EXPECT_EQ(parse_plant("leak=4096").bytes, 4096U);
    const auto unbounded = parse_plant("cache=100");
    EXPECT_EQ(unbounded.kind, PlantKind::kCache);
    EXPECT_EQ(unbounded.entries, 0U);
    EXPECT_EQ(parse_plant("cache=100,entries=7").entries, 7U);
    EXPECT_EQ(parse_plant("keyed=16").kind, PlantKind::kKeyed);
    EXPECT_EQ(parse_plant("retention=3").bytes, 3U << 20);
    EXPECT_EQ(parse_plant("library=5").kind, PlantKind::kLibrary);
}

TEST(Plants, RefusesOtherSpecs) {
    for (const char* text : {"",
                             "leak",
                             "leak=",
                             "leak=0",
                             "leak=-1",
                             "leak=1k",
                             "leak=1 ",
                             "leak=1,entries=2",
                             "leak=99999999999999999999",
                             "cache=1",
                             "cache=100,entries=0",
                             "cache=100,entries=",
                             "cache=100,entires=3",
                             "cache=,entries=3",
                             "drip=5",
                             "keyed=15",
                             "keyed=100,entries=2",
                             "retention=0",
                             "retention=1025",
                             "library=0",
                             "library=1,entries=2"}) {
        EXPECT_THROW(parse_plant(text), std::invalid_argument) << text;
    }
}

TEST(Plants, AnUnboundedCacheKeepsEverything) {
    Plants plants({{PlantKind::kCache, 1000, 0}});
    for (int i = 0; i < 50; ++i) plants.on_request(kInputBytes);
    const auto truth = plants.truth().at(0);
    EXPECT_EQ(truth.kind, "cache");
    EXPECT_EQ(truth.function, "asr::plant_cache_request");
    EXPECT_EQ(truth.held.blocks, 50U);
    EXPECT_EQ(truth.held.bytes, 50'000U);
    EXPECT_GE(truth.held.chunk_bytes, truth.held.bytes + 400U);
}

TEST(Plants, ABoundedCacheEvictsTheOldest) {
    Plants plants({{PlantKind::kCache, 64, 3}});
    for (std::size_t i = 1; i <= 10; ++i) {
        plants.on_request(kInputBytes);
        const auto held = plants.truth().at(0).held;
        EXPECT_EQ(held.blocks, std::min<std::size_t>(i, 3));
        EXPECT_EQ(held.bytes, held.blocks * 64);
    }
}

TEST(Plants, SeveralRunEveryTime) {
    Plants plants({{PlantKind::kCache, 32, 1}, {PlantKind::kCache, 48, 2}});
    plants.on_request(kInputBytes);
    plants.on_request(kInputBytes);
    const auto truth = plants.truth();
    ASSERT_EQ(truth.size(), 2U);
    EXPECT_EQ(truth[0].held.bytes, 32U);
    EXPECT_EQ(truth[1].held.bytes, 96U);
}

TEST(Plants, AKeyedCacheKeepsOneEntryForALength) {
    Plants plants({{PlantKind::kKeyed, 700}});
    for (std::size_t i = 0; i < 40; ++i) plants.on_request(1000 + i % 10);
    const auto truth = plants.truth().at(0);
    EXPECT_EQ(truth.kind, "keyed");
    EXPECT_EQ(truth.function, "asr::plant_keyed_request");
    EXPECT_EQ(truth.held.blocks, 10U);
    EXPECT_EQ(truth.held.bytes, 7000U);
    EXPECT_GE(truth.held.chunk_bytes, truth.held.bytes + 80U);
    plants.on_request(1000);
    EXPECT_EQ(plants.truth().at(0).held.blocks, 10U);
    plants.on_request(0);
    EXPECT_EQ(plants.truth().at(0).held.blocks, 11U);
}

}  // namespace
}  // namespace asr
