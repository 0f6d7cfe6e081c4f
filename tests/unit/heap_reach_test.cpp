// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which words make a block reachable, which leave it weak, and which do not count.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/heap_image_builder.h"
#include "tests/unit/heap_image_census.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kVariable = 0x7f0000002f80;  // in libc's data, not in use by the builder

struct Reachability : testing::Test {
    void SetUp() override {
        build_heap(layouts()[2], built);
        holder = built.chunks[1];
        leak = built.leaked_address;
    }
    Reach reach(std::span<const AskedSize> asked = {}) {
        const ImageOutcome outcome =
            image_census(built.image, true, std::chrono::seconds(5), asked);
        EXPECT_TRUE(outcome.census) << outcome.reason;
        return outcome.census ? *outcome.census->reach : Reach{};
    }
    void expect(std::size_t unreachable, std::size_t weak, std::span<const AskedSize> asked = {}) {
        const Reach found = reach(asked);
        EXPECT_EQ(found.leaked.size(), unreachable);
        EXPECT_EQ(found.unreachable_chunks, unreachable);
        EXPECT_EQ(found.weak.size(), weak);
        EXPECT_EQ(found.weak_chunks, weak);
    }
    /// The last word that the holder may use stands in the header of what follows.
    void point_from_last_word(std::uint64_t word) { built.image.put(holder + 0x150, word); }

    BuiltHeap built;
    std::uint64_t holder = 0;  ///< a chunk of 0x150 that a variable points to
    std::uint64_t leak = 0;
};

TEST_F(Reachability, NoWordIsALeak) {
    expect(1, 0);
}

TEST_F(Reachability, AWordInsideABlockHoldsIt) {
    built.image.put(holder + 0x80, leak);
    expect(0, 0);
}

TEST_F(Reachability, AWordNearTheBeginningHoldsIt) {
    built.image.put(holder + 0x80, leak + 0x38);
    expect(0, 0);
}

TEST_F(Reachability, TheLastWordOfABlockIsWeak) {
    point_from_last_word(leak);
    expect(0, 1);
    const Reach found = reach();
    EXPECT_EQ(found.weak.at(0).address, leak);
    EXPECT_EQ(found.weak_bytes, built.leaked_bytes);
}

TEST_F(Reachability, TheWordBeforeTheLastHoldsIt) {
    built.image.put(holder + 0x150 - 16, leak);
    expect(0, 0);
}

TEST_F(Reachability, AWordFarInsideIsWeak) {
    built.image.put(holder + 0x80, leak + 0x40);
    expect(0, 1);
    built.image.put(holder + 0x80, 0);
    built.image.put(kVariable, leak + 0x100);
    expect(0, 1);
}

TEST_F(Reachability, AnOddWordIsWeak) {
    built.image.put(holder + 0x80, leak + 1);
    expect(0, 1);
}

TEST_F(Reachability, OneSureWordOutweighsWeakOnes) {
    point_from_last_word(leak);
    built.image.put(holder + 0x80, leak + 0x41);
    built.image.put(kVariable, leak);
    expect(0, 0);
}

TEST_F(Reachability, WhatAWeakBlockHoldsIsWeak) {
    const std::uint64_t on_stack = *built.image.read_value<std::uint64_t>(0x7ffd00001800);
    built.image.put(0x7ffd00001800, 0);
    expect(2, 0);
    point_from_last_word(leak);
    built.image.put(leak + 0x20, on_stack);
    expect(0, 2);
}

TEST_F(Reachability, BytesThatWereNotAskedForDoNotCount) {
    point_from_last_word(leak);
    const std::vector<AskedSize> known{{holder + 16, 0x140}};
    expect(1, 0, known);
    const std::vector<AskedSize> all_of_it{{holder + 16, 0x148}};
    expect(0, 1, all_of_it);
    // Of another block that stood here before: its size does not fit.
    const std::vector<AskedSize> outdated{{holder + 16, 0x40}};
    expect(0, 1, outdated);
}

/// What the next reading gets of a word in a block of this one.
std::size_t times_kept(BuiltHeap& built, std::uint64_t where, std::uint64_t word) {
    built.image.put(where, word);
    PassingWords passing;
    const ImageOutcome outcome =
        image_census(built.image, true, std::chrono::seconds(5), {}, &passing);
    EXPECT_TRUE(outcome.census) << outcome.reason;
    EXPECT_TRUE(std::is_sorted(passing.words.begin(), passing.words.end()));
    return static_cast<std::size_t>(std::count(passing.words.begin(), passing.words.end(), word));
}

TEST_F(Reachability, WordsThatLeadToNoBlockAreKeptForTheNextReading) {
    constexpr std::uint64_t kBreak = 0x555500021000, kLowestMapping = 0x7efffffff000;
    const std::uint64_t where = holder + 0x80;
    built.image.put(kVariable, built.free_chunk + 16);
    EXPECT_EQ(times_kept(built, where, built.free_chunk + 16), 1U);
    EXPECT_EQ(times_kept(built, where, kBreak + 0x4000010), 1U);
    EXPECT_EQ(times_kept(built, where, kLowestMapping - 0x4000000 + 16), 1U);
    EXPECT_EQ(times_kept(built, where, kBreak + 0x4000011), 0U) << "no place for a pointer";
    EXPECT_EQ(times_kept(built, where, kBreak + 0x10000000010), 0U) << "too far";
    EXPECT_EQ(times_kept(built, where, 0x7ffd00000010), 0U) << "the stack";
    EXPECT_EQ(times_kept(built, where, 0x200000), 0U) << "a number";
    EXPECT_EQ(times_kept(built, holder + 0x150, kBreak + 0x4000010), 0U) << "a last word";
}

TEST_F(Reachability, TooManyWordsThatLeadToNoBlockAreSaid) {
    built.image.put(kVariable, built.free_chunk + 16);
    PassingWords passing{.most = 0};
    const auto take = [&] {
        return image_census(built.image, true, std::chrono::seconds(5), {}, &passing);
    };
    const ImageOutcome refused = take();
    EXPECT_FALSE(refused.census);
    EXPECT_NE(refused.reason.find("too many words"), std::string::npos);
    passing.wanted = false;  // the last reading has no use for them
    EXPECT_TRUE(take().census);
}

TEST_F(Reachability, WordsOfTheReadingBeforeHoldBlocks) {
    PassingWords passing{.words = {leak - 0x1000, leak, leak + 0x100}};
    const ImageOutcome outcome =
        image_census(built.image, true, std::chrono::seconds(5), {}, &passing);
    ASSERT_TRUE(outcome.census) << outcome.reason;
    EXPECT_EQ(outcome.census->reach->unreachable_chunks, 0U);
    EXPECT_EQ(std::count(passing.words.begin(), passing.words.end(), leak - 0x1000), 0)
        << "it led nowhere and is not there any more";
    const auto& holders = outcome.census->reach->holders;
    const auto at = std::find_if(holders.begin(), holders.end(), [](const Holder& each) {
        return each.root == "pointers stored while the heap was read";
    });
    ASSERT_NE(at, holders.end());
    EXPECT_EQ(at->bytes, built.leaked_bytes);
}

Leaked block(std::uint64_t address, std::uint64_t bytes) {
    Leaked made;
    made.address = address;
    made.bytes = bytes;
    return made;
}

TEST(Intersection, KeepsWhatBothCallWeakOrWorse) {
    Reach a, b;
    a.leaked = {block(0x100, 32), block(0x200, 32), block(0x300, 32)};
    a.weak = {block(0x400, 32), block(0x500, 32)};
    b.leaked = {block(0x100, 32), block(0x300, 48), block(0x500, 32)};
    b.weak = {block(0x200, 32), block(0x400, 32), block(0x600, 32)};
    const Reach both = intersect(a, b);
    ASSERT_EQ(both.leaked.size(), 1U);
    EXPECT_EQ(both.leaked[0].address, 0x100U);
    ASSERT_EQ(both.weak.size(), 3U);
    EXPECT_EQ(both.weak[0].address, 0x200U);
    EXPECT_EQ(both.weak[1].address, 0x400U);
    EXPECT_EQ(both.weak[2].address, 0x500U);
    EXPECT_EQ(both.weak_bytes, 96U);
    EXPECT_EQ(both.snapshots, 2U);
}

TEST(Likely, IsTheWeakPartOfSizesThatLeak) {
    Reach reach;
    reach.leaked = {block(0x100, 32), block(0x200, 32), block(0x300, 48)};
    reach.weak = {block(0x400, 32), block(0x500, 48), block(0x600, 48), block(0x700, 64)};
    find_likely(reach);
    EXPECT_TRUE(reach.weak[0].likely);
    EXPECT_FALSE(reach.weak[1].likely);
    EXPECT_FALSE(reach.weak[3].likely);
    EXPECT_EQ(reach.likely_chunks, 1U);
    EXPECT_EQ(reach.likely_bytes, 32U);
}

TEST_F(Reachability, StacksAreAskedForPinsAndLeaks) {
    point_from_last_word(leak);
    ImageOutcome outcome = image_census(built.image, true, std::chrono::seconds(5));
    ASSERT_TRUE(outcome.census);
    Census& census = *outcome.census;
    const std::uint64_t pin = census.arenas.at(0).pin.address;
    ASSERT_NE(pin, 0U);
    add_stacks(census, [&](std::uint64_t address) {
        return address == pin ? StackId{7} : address == leak ? StackId{9} : kUnknownStack;
    });
    EXPECT_EQ(census.arenas[0].pin.stack, StackId{7});
    EXPECT_EQ(census.arenas[0].heaps.at(0).pin.stack, StackId{7});
    EXPECT_EQ(census.arenas.at(1).pin.stack, kUnknownStack);
    EXPECT_EQ(census.reach->weak.at(0).stack, StackId{9});
}

}  // namespace
}  // namespace asrtrace::heap
