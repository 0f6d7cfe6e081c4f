// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Markings of the heap that find very much, and are booked while the target goes on.
#include <gtest/gtest.h>

#include "tests/unit/ledger_fixture.h"

namespace asrtrace::ledger {
namespace {

constexpr std::uint64_t kMany = 250'000;

std::uint64_t address_of(std::uint64_t block) {
    return 0x1000000 + block * 112;
}

/// A request allocates so many blocks of 100 bytes.
std::vector<LostBlock> lose_in_a_request(Script& script, std::uint64_t blocks) {
    std::vector<LostBlock> lost;
    script.begin();
    for (std::uint64_t i = 0; i < blocks; ++i) {
        script.alloc(address_of(i), 100);
        lost.push_back({address_of(i), 112});
    }
    script.done();
    return lost;
}

TEST(LedgerMarking, EachOfManyLostBlocksIsBooked) {
    Script script;
    const auto lost = lose_in_a_request(script, kMany);
    EXPECT_EQ(script.lose(lost).chunks, 0U);
    script.lose(lost);
    const auto row = script.finish().at(1);
    EXPECT_EQ(row.outlived_blocks, kMany);
    EXPECT_EQ(row.unreachable_blocks, kMany);
    EXPECT_EQ(row.unreachable_bytes, 100 * kMany);
}

TEST(LedgerMarking, WhatHappensBetweenTwoPartsCounts) {
    Script script;
    std::vector<std::uint64_t> none;
    const auto lost = lose_in_a_request(script, 10);
    Marking marking = make_marking(lost, script.ledger.serial(), none);
    EXPECT_FALSE(script.ledger.book(marking, 4));
    script.free(address_of(0));  // booked: its pointer was hidden
    script.free(address_of(9));  // not booked yet, and then another block's
    script.begin();
    script.alloc(address_of(9), 100);
    script.done();
    EXPECT_FALSE(script.ledger.book(marking, 4));
    EXPECT_TRUE(script.ledger.book(marking, 4));
    const auto row = script.finish().at(1);
    EXPECT_EQ(row.unreachable_blocks, 8U);
    EXPECT_EQ(row.retracted_blocks, 1U);
}

TEST(LedgerMarking, AWindowThatClosesMeanwhileTakesAllOfIt) {
    Script script;
    script.ledger.read_heap({{112, 0}}, true);
    auto lost = lose_in_a_request(script, 10);
    lost.push_back({0x9000000, 48});
    std::vector<std::uint64_t> none;
    Marking marking = make_marking(lost, script.ledger.serial(), none);
    EXPECT_FALSE(script.ledger.book(marking, 4));
    for (int i = 0; i < 20; ++i) script.ledger.tick(script.now_ns += 50'000'000);
    script.ledger.close_window(script.now_ns);
    script.ledger.read_heap({{112, 10}}, true);
    EXPECT_TRUE(script.ledger.book(marking, 4));
    EXPECT_EQ(marking.unmatched.chunks, 1U);
    EXPECT_EQ(script.finish().at(1).unreachable_blocks, 10U);
}

TEST(LedgerMarking, TellsWhatIsNotLostAnyMore) {
    std::vector<std::uint64_t> before{0x100, 0x200, 0x300};
    const Marking marking = make_marking({{0x300, 48}, {0x200, 32}, {0x400, 48}}, 7, before);
    EXPECT_EQ(marking.found, std::vector<std::uint64_t>{0x100});
    EXPECT_EQ(before, (std::vector<std::uint64_t>{0x200, 0x300, 0x400}));
    EXPECT_EQ(marking.lost.front().address, 0x200U);
    EXPECT_EQ(marking.sizes, (BlocksBySize{{32, 1}, {48, 2}}));
}

}  // namespace
}  // namespace asrtrace::ledger
