// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A remembered stack is taken only where a walk would find the same: stacks of live processes, with
// each word of them changed in turn.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/bpf_host/recording.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kRoot = kText + 0x1010;

using Pcs = std::vector<std::uint64_t>;

Pcs pcs(const stack_record& stack) {
    return {stack.pcs, stack.pcs + stack.depth};
}

std::uint64_t word_at(const Recording& recording, std::uint64_t address) {
    std::uint64_t word = 0;
    for (unsigned i = 0; i < 8; ++i) {
        const auto byte = recording.memory.find(address + i);
        if (byte != recording.memory.end()) word |= std::uint64_t{byte->second} << (8 * i);
    }
    return word;
}

/// What a slot may hold instead: nothing, another frame's return address, a place on the stack.
Pcs replacements(const Recording& recording, std::uint64_t word) {
    return {0, word + 8, recording.pcs.back(), recording.pcs[recording.pcs.size() / 2],
            recording.sp + 256};
}

std::vector<Recording> recordings() {
    std::vector<Recording> all;
    for (const auto& entry : std::filesystem::directory_iterator(RECORDED_STACKS)) {
        if (entry.path().extension() != ".stack") continue;
        std::stringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        all.push_back(*parse_recording(text.str()));
    }
    return all;
}

/// At a function's entry, in code that has no rows.
host_walk entered(std::uint64_t sp, std::uint64_t fp) {
    host_walk walk{};
    walk.ip = kText + 0x1f00;
    walk.sp = sp;
    walk.fp = fp;
    walk.input = UNWIND_AT_ENTRY;
    return walk;
}

host_walk remembering(host_walk walk) {
    walk.remember = 1;
    return walk;
}

host_walk recalling(host_walk walk) {
    walk.recall = 1;
    return walk;
}

TEST(Recall, AStackThatIsRecalledIsTheOneThatAWalkFinds) {
    int remembered = 0, recalled = 0, refused = 0;
    for (const Recording& recording : recordings()) {
        FakeTarget target = target_of(recording);
        const host_walk registers = registers_of(recording);
        if (target.walked(remembering(registers)).remembered == 0) continue;
        ++remembered;
        ASSERT_EQ(target.walked(recalling(registers)).recalled, 1);
        for (const auto& [address, byte] : recording.memory) {
            if (address % 8 != 0 || address < recording.sp) continue;
            const std::uint64_t word = word_at(recording, address);
            for (const std::uint64_t other : replacements(recording, word)) {
                target.put_words(address, {other});
                if (target.walked(recalling(registers)).recalled == 0) {
                    ++refused;
                    continue;
                }
                ++recalled;
                ASSERT_EQ(pcs(target.run(registers)), recording.pcs)
                    << std::hex << address << ": " << word << " became " << other;
            }
            target.put_words(address, {word});
        }
    }
    // Neither everything nor nothing.
    EXPECT_GE(remembered, 4);
    EXPECT_GT(recalled, 1000);
    EXPECT_GT(refused, 100);
}

TEST(Recall, AnotherFramePointerIsAnotherStackWhereARuleUsesIt) {
    FakeTarget target;
    target.add_module(kText, 0x2000,
                      {{0x100, UNWIND_CFA_FP | UNWIND_SAVED_CFA << 4, -2, 2},
                       {0x200, UNWIND_CFA_SP, 0, 1},
                       {0x1000, UNWIND_CFA_END, 0, 0}});
    // Return addresses at +8 of each of two frame records; the second is the older call's.
    target.put_words(kStack, {kText + 0x110, 0, 0, kText + 0x210, kRoot, 0, 0, kRoot, 0});
    host_walk walk = entered(kStack, kStack + 16);
    const host_walk first = target.walked(remembering(walk));
    ASSERT_EQ(first.remembered, 1);
    EXPECT_EQ(pcs(first.stack), (Pcs{walk.ip, kText + 0x110, kText + 0x210, kRoot}));
    EXPECT_EQ(target.walked(recalling(walk)).recalled, 1);
    walk.fp = kStack + 48;
    EXPECT_EQ(target.walked(recalling(walk)).recalled, 0);
    EXPECT_EQ(pcs(target.run(walk)), (Pcs{walk.ip, kText + 0x110, kRoot}));
}

TEST(Recall, TheSameCallElsewhereOnTheStackIsTheSameStack) {
    FakeTarget target;
    target.add_module(
        kText, 0x2000,
        {{0x100, UNWIND_CFA_FP | UNWIND_SAVED_CFA << 4, -2, 2}, {0x1000, UNWIND_CFA_END, 0, 0}});
    constexpr std::uint64_t kAway = 0x5000;
    for (const std::uint64_t sp : {kStack, kStack + kAway})
        target.put_words(sp, {kText + 0x110, 0, sp + 64, kRoot});
    host_walk walk = entered(kStack, kStack + 16);
    ASSERT_EQ(target.walked(remembering(walk)).remembered, 1);
    walk.sp += kAway;
    walk.fp += kAway;
    EXPECT_EQ(target.walked(recalling(walk)).recalled, 1);
}

/// Its key is of the address, and a walk finds another as soon as the mapping is known.
TEST(Recall, WhatBeganInUnknownCodeIsNotRemembered) {
    FakeTarget target;
    target.add_module(kText, 0x2000, {{0x1000, UNWIND_CFA_END, 0, 0}});
    target.put_words(kStack, {kRoot, 0});
    host_walk walk = entered(kStack, 0);
    ASSERT_EQ(target.walked(remembering(walk)).remembered, 1);
    walk.ip = 0x10000000;
    const host_walk walked = target.walked(remembering(walk));
    EXPECT_EQ(pcs(walked.stack), (Pcs{walk.ip, kRoot}));
    EXPECT_EQ(walked.stack.flags, UNWIND_UNKNOWN_MAPPING);
    EXPECT_EQ(walked.remembered, 0);
}

TEST(Recall, WhatAScanGuessedIsNotRemembered) {
    FakeTarget target;
    target.add_module(kText, 0x2000, {{0x1000, UNWIND_CFA_END, 0, 0}});
    target.put(kRoot - 5, {0xe8, 0, 0, 0, 0});
    target.put_words(kStack, {1, 2, kRoot, 0});
    host_walk walk{};
    walk.ip = 0x10000000;
    walk.sp = kStack;
    const host_walk walked = target.walked(remembering(walk));
    EXPECT_EQ(pcs(walked.stack).back(), kRoot);
    EXPECT_EQ(walked.remembered, 0);
}

}  // namespace
}  // namespace asrtrace::unwind
