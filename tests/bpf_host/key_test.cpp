// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Two stacks have one key if they went through the same code, wherever that lay.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/bpf_host/fake_target.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kElsewhere = 0x7f12'3456'7000;
constexpr std::uint16_t kModule = 7;

/// A process with one module of two functions, code without rows behind it, and generated code; in
/// its stack the root was called from the first function, that from where the walk begins.
struct Process {
    std::uint64_t text = kText;
    std::uint16_t module = kModule;
    std::uint32_t generation = 1;
    std::uint64_t jit = kJit;
    std::uint64_t plain = kText + 0x20'0000;  ///< of a file without rows
    std::uint16_t plain_module = kModule + 1;

    host_walk from(std::uint64_t ip, std::uint64_t caller = 0) const {
        FakeTarget target;
        target.generation = generation;
        const auto row = [](std::uint32_t pc, int cfa, int words) {
            return unwind_row{pc, static_cast<__u8>(cfa), 0, static_cast<__s16>(words)};
        };
        target.add_module(text, 0x2000,
                          {row(0x100, UNWIND_CFA_SP, 1), row(0x1000, UNWIND_CFA_END, 0)}, module);
        target.add_mapping(jit, 0x4000, UNWIND_MAPPING_JIT);
        target.add_mapping(plain, 0x1000, UNWIND_MAPPING_NO_TABLE, plain_module, plain - 0x3000);
        target.put(text + 0x140, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
        target.put(0x5000'0020 - 5, {0xe8, 1, 2, 3, 4});
        std::vector<std::uint64_t> words = {text + 0x14a, text + 0x1010, 0, 0, 0};
        if (caller != 0) words.insert(words.begin(), caller);
        target.put_words(kStack, words);
        host_walk walk{};
        walk.ip = ip;
        walk.sp = kStack;
        return target.walked(walk);
    }
    host_walk in_text(std::uint64_t offset = 0x110) const { return from(text + offset); }
    host_walk in_jit(std::uint64_t offset = 0x20) const { return from(jit + offset); }
    host_walk called_by_jit(std::uint64_t at) const { return from(text + 0x110, jit + at); }
    host_walk in_plain(std::uint64_t offset = 0x20) const { return from(plain + offset); }
};

TEST(Key, IsOfTheCodeWhereverItLies) {
    const host_walk here = Process{}.in_text();
    ASSERT_EQ(here.stack.depth, 3U);
    EXPECT_EQ(Process{}.in_text().key, here.key);
    const Process moved{.text = kElsewhere, .generation = 9};
    ASSERT_EQ(moved.in_text().stack.depth, 3U);
    EXPECT_EQ(moved.in_text().key, here.key);
    EXPECT_EQ((Process{.generation = 9, .plain = kElsewhere}.in_plain().key),
              Process{}.in_plain().key);
}

TEST(Key, TellsCodeApart) {
    std::set<std::uint64_t> keys;
    const std::vector<host_walk> walks = {
        Process{}.in_text(),
        Process{}.in_text(0x111),
        Process{.module = kModule + 5}.in_text(),
        Process{}.in_jit(),
        Process{}.called_by_jit(0x20),
        Process{}.called_by_jit(0x21),
        Process{}.in_plain(),
        Process{}.in_plain(0x21),
        Process{.plain_module = kModule + 5}.in_plain(),
        Process{}.from(kElsewhere),  // in no mapping
    };
    for (const host_walk& walk : walks) keys.insert(walk.key);
    EXPECT_EQ(keys.size(), walks.size());
}

/// The place in a table's text, and elsewhere in the same file the one in the file, may be the same
/// number.
TEST(Key, TellsTheRowsOfAModuleFromWhatHasNone) {
    FakeTarget target;
    target.add_module(kText, 0x1000, {{0x0, UNWIND_CFA_END, 0, 0}}, kModule);
    target.add_mapping(kElsewhere, 0x1000, UNWIND_MAPPING_NO_TABLE, kModule, kElsewhere);
    host_walk walk{};
    walk.sp = kStack;
    walk.ip = kText + 0x10;
    const host_walk rows = target.walked(walk);
    walk.ip = kElsewhere + 0x10;
    const host_walk none = target.walked(walk);
    ASSERT_EQ(rows.stack.depth, 1U);
    ASSERT_EQ(none.stack.depth, 1U);
    EXPECT_NE(rows.key, none.key);
}

/// Walked like generated code, but it has a name: its file.
TEST(Key, OfAFileThatIsNoElfFileIsThePlaceInIt) {
    const auto walk = [](std::uint64_t begin, std::uint16_t module, std::uint64_t offset) {
        FakeTarget target;
        target.add_mapping(begin, 0x4000, UNWIND_MAPPING_JIT, module, begin);
        host_walk in{};
        in.ip = begin + offset;
        in.sp = kStack;
        return target.walked(in).key;
    };
    EXPECT_EQ(walk(kJit, kModule, 0x123), walk(kElsewhere, kModule, 0x123));
    EXPECT_NE(walk(kJit, kModule, 0x123), walk(kJit, kModule, 0x1123));
    EXPECT_NE(walk(kJit, kModule, 0x123), walk(kJit, kModule + 1, 0x123));
}

TEST(Key, OfUnknownCodeIsTheAddressInItsGeneration) {
    const Process unknown{.module = 0};
    EXPECT_EQ(unknown.in_text().key, unknown.in_text().key);
    EXPECT_NE((Process{.module = 0, .generation = 2}.in_text().key), unknown.in_text().key);
    EXPECT_NE((Process{.text = kElsewhere, .module = 0}.in_text().key), unknown.in_text().key);
}

/// In no mapping that is known: a caller may be anything, an instruction that faults is generated.
TEST(Key, OfCodeThatWasMappedAMomentAgo) {
    constexpr std::uint64_t kFresh = 0x5000'0000;
    const auto called_by_fresh = [](const Process& process) {
        return process.from(process.text + 0x110, kFresh + 0x20);
    };
    ASSERT_EQ(called_by_fresh({}).stack.depth, 4U);
    EXPECT_EQ(called_by_fresh({}).key, called_by_fresh({}).key);
    EXPECT_NE(called_by_fresh({.generation = 2}).key, called_by_fresh({}).key);
    const host_walk faults = Process{}.from(kFresh + 0x30);
    ASSERT_EQ(faults.stack.depth, 3U);
    EXPECT_EQ(faults.stack.flags & UNWIND_UNKNOWN_MAPPING, UNWIND_UNKNOWN_MAPPING);
    EXPECT_EQ((Process{.generation = 2}.from(kFresh + 0x5030).key), faults.key);
    EXPECT_NE(Process{}.from(kFresh + 0x31).key, faults.key);
}

TEST(Key, OfACallInGeneratedCodeIsItsPlaceInThePage) {
    const host_walk here = Process{}.called_by_jit(0x20);
    ASSERT_EQ(here.stack.depth, 4U);
    const Process moved{.text = kElsewhere, .generation = 9, .jit = kJit + 0x7000};
    EXPECT_EQ(moved.called_by_jit(0x20).key, here.key);
    EXPECT_EQ(moved.called_by_jit(0x2020).key, here.key);
}

TEST(Key, AnyInstructionOfGeneratedCodeIsAsGood) {
    const host_walk here = Process{}.in_jit();
    ASSERT_EQ(here.stack.depth, 3U);
    EXPECT_EQ((Process{.jit = kJit + 0x7000}.in_jit(0x123).key), here.key);
}

/// The scan takes a word for the caller that leads nowhere, drops it and finds the right one: the
/// key is that of the stack without the wrong word.
TEST(Key, NothingIsLeftInItOfADroppedGuess) {
    const auto walk = [](std::uint64_t stale) {
        FakeTarget target;
        target.add_module(kText, 0x2000,
                          {{0x100, UNWIND_CFA_SP, 0, 1},
                           {0x200, UNWIND_CFA_SP, 0, 2},
                           {0x1000, UNWIND_CFA_END, 0, 0}},
                          kModule);
        target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
        for (const std::uint64_t at : {0x140U, 0x240U})
            target.put(kText + at, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
        target.put_words(kStack, {7, stale, 7, 7, 7, kText + 0x14a, kText + 0x1010, 0});
        host_walk in{};
        in.ip = kJit + 0x20;
        in.sp = kStack;
        return target.walked(in);
    };
    const host_walk without = walk(7);
    const host_walk with = walk(kText + 0x24a);
    ASSERT_EQ(without.stack.depth, 3U);
    ASSERT_EQ(with.stack.depth, 3U);
    EXPECT_EQ(with.key, without.key);
}

}  // namespace
}  // namespace asrtrace::unwind
