// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The walker's rules one by one, on stacks made by hand; every test with and without bpf_loop.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/bpf_host/fake_target.h"

namespace asrtrace::unwind {
namespace {

constexpr unwind_row row(std::uint32_t pc, int cfa, int cfa_words, int saved = 0,
                         int fp_words = 0) {
    return {pc, static_cast<__u8>(cfa | saved << 4), static_cast<__s8>(fp_words),
            static_cast<__s16>(cfa_words)};
}

/// A module whose function at 0x1000 is the root (return address undefined).
class Walker : public testing::TestWithParam<bool> {
  protected:
    static constexpr std::uint64_t kRoot = kText + 0x1010;

    void module(std::vector<unwind_row> rows) {
        rows.push_back(row(0x1000, UNWIND_CFA_END, 0));
        target.add_module(kText, 0x2000, rows);
    }

    stack_record walk(std::uint64_t ip, std::uint64_t sp = kStack, std::uint64_t fp = 0) {
        in.ip = ip;
        in.sp = sp;
        in.fp = fp;
        in.without_loop = GetParam() ? 1 : 0;
        return target.run(in);
    }

    static std::vector<std::uint64_t> pcs(const stack_record& stack) {
        return {stack.pcs, stack.pcs + stack.depth};
    }
    static void expect_truncated(const stack_record& stack, unwind_reason reason) {
        EXPECT_EQ(stack.flags & UNWIND_TRUNCATED, UNWIND_TRUNCATED);
        EXPECT_EQ(stack.reason, reason);
    }

    FakeTarget target;
    host_walk in{};
};

using Pcs = std::vector<std::uint64_t>;

TEST_P(Walker, StackPointerRule) {
    module({row(0x100, UNWIND_CFA_SP, 3)});
    target.put_words(kStack, {1, 2, kRoot, 0, 0});
    const auto stack = walk(kText + 0x110);
    EXPECT_EQ(pcs(stack), (Pcs{kText + 0x110, kRoot}));
    EXPECT_EQ(stack.flags, 0);
    EXPECT_EQ(stack.reason, UNWIND_COMPLETE);
}

TEST_P(Walker, FramePointerRuleRestoresTheCallersFramePointer) {
    module({row(0x100, UNWIND_CFA_FP, 2, UNWIND_SAVED_CFA, -2)});
    target.put_words(kStack, {0, 0, kStack + 64, kText + 0x150, 0, 0, 0, 0, 0, kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x110, kStack, kStack + 16)),
              (Pcs{kText + 0x110, kText + 0x150, kRoot}));
}

TEST_P(Walker, RealignedStack) {
    // CFA = *(rbp - 8), rbp at *(rbp + 0): GCC's dynamic realignment.
    module({row(0x100, UNWIND_CFA_DEREF_FP, -1, UNWIND_SAVED_FP, 0)});
    target.put_words(kStack, {0, kStack + 64, 0xabc, 0, 0, 0, 0, kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x110, kStack, kStack + 16)), (Pcs{kText + 0x110, kRoot}));
}

TEST_P(Walker, SavedStackPointerOfAssembly) {
    module({row(0x100, UNWIND_CFA_DEREF_SP, 1)});
    target.put_words(kStack, {0, kStack + 32, 0, 0, kRoot, 0});
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kRoot}));
}

TEST_P(Walker, PltEntryBeforeAndBehindItsPush) {
    module({row(0x100, UNWIND_CFA_PLT, 11)});
    target.put_words(kStack, {kRoot, kRoot + 4, 0});
    EXPECT_EQ(pcs(walk(kText + 0x106)), (Pcs{kText + 0x106, kRoot}));
    EXPECT_EQ(pcs(walk(kText + 0x10b)), (Pcs{kText + 0x10b, kRoot + 4}));
}

TEST_P(Walker, RegisterRuleOnlyInTheInnermostFrame) {
    module({row(0x100, UNWIND_CFA_REGISTER, 10 << 12 | 1), row(0x200, UNWIND_CFA_SP, 1)});
    target.put_words(kStack, {kText + 0x110, kRoot, kRoot});
    in.regs[10] = kStack + 8;
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kRoot}));
    expect_truncated(walk(kText + 0x210), UNWIND_BAD_RULE);
}

TEST_P(Walker, SignalFrameIsLeftWithTheInterruptedRegistersAndExactAddress) {
    // The interrupted instruction is the first of its function: pc - 1 would be another one.
    module({row(0x100, UNWIND_CFA_SIGNAL, 0), row(0x200, UNWIND_CFA_BAD, 0),
            row(0x300, UNWIND_CFA_SP, 1)});
    std::vector<std::uint64_t> context(40, 0);
    context[15 + 5] = kStack + 0x400;  // rsp
    context[16 + 5] = kText + 0x300;   // rip
    target.put_words(kStack, context);
    target.put_words(kStack + 0x400, {kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kText + 0x300, kRoot}));
}

TEST_P(Walker, InASystemCallAtTheVeryEndOfTheRestorer) {
    module({row(0x100, UNWIND_CFA_SIGNAL, 0), row(0x109, UNWIND_CFA_NONE, 0),
            row(0x300, UNWIND_CFA_SP, 1)});
    std::vector<std::uint64_t> context(40, 0);
    context[15 + 5] = kStack + 0x400;
    context[16 + 5] = kText + 0x300;
    target.put_words(kStack, context);
    target.put_words(kStack + 0x400, {kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x109)), (Pcs{kText + 0x109, kText + 0x300, kRoot}));
}

TEST_P(Walker, CallersAreLookedUpByTheCallInstruction) {
    // A noreturn call is its function's last instruction: the return address is the next
    // function's.
    module({row(0x100, UNWIND_CFA_SP, 1), row(0x200, UNWIND_CFA_SP, 2),
            row(0x300, UNWIND_CFA_BAD, 0)});
    target.put_words(kStack, {kText + 0x300, 0, kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kText + 0x300, kRoot}));
}

TEST_P(Walker, EntryProbeTakesTheReturnAddressAtTheStackPointer) {
    module({row(0x100, UNWIND_CFA_BAD, 0)});
    target.put_words(kStack, {kRoot});
    in.input = UNWIND_AT_ENTRY;
    EXPECT_EQ(pcs(walk(kText + 0x100)), (Pcs{kText + 0x100, kRoot}));
}

TEST_P(Walker, ZeroReturnAddressIsTheRoot) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.put_words(kStack, {0, 0});
    const auto stack = walk(kText + 0x110);
    EXPECT_EQ(stack.depth, 1U);
    EXPECT_EQ(stack.reason, UNWIND_COMPLETE);
}

TEST_P(Walker, JitFrameIsBridgedByScanning) {
    // xbyak's prologue: push rbx; push rbp. Caller uses rbp.
    module({row(0x100, UNWIND_CFA_FP, 2, UNWIND_SAVED_CFA, -2)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
    target.put(kText + 0x140, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});  // call ends at 0x14a
    target.put_words(kStack, {kText + 0x180 /* not behind a call */, 7, kStack + 64, 0xb,
                              kText + 0x14a, 0, 0, 0, 0, kRoot, 0});
    const auto stack = walk(kJit + 0x20);
    EXPECT_EQ(pcs(stack), (Pcs{kJit + 0x20, kText + 0x14a, kRoot}));
    EXPECT_EQ(stack.flags, UNWIND_HEURISTIC);
}

TEST_P(Walker, AnOldReturnAddressThatLeadsNowhereIsPassedOver) {
    module({row(0x100, UNWIND_CFA_SP, 1), row(0x200, UNWIND_CFA_SP, 2)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
    target.put(kText + 0x140, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
    target.put(kText + 0x240, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
    // The first is a leftover: what lies where its caller should be is no code.
    target.put_words(kStack, {7, kText + 0x24a, 7, 7, kText + 0x14a, kRoot, 0});
    const auto stack = walk(kJit + 0x20);
    EXPECT_EQ(pcs(stack), (Pcs{kJit + 0x20, kText + 0x14a, kRoot}));
    EXPECT_EQ(stack.flags, UNWIND_HEURISTIC);
    EXPECT_EQ(stack.reason, UNWIND_COMPLETE);
}

TEST_P(Walker, NoGuessThatLeadsOnIsToldAsSuch) {
    module({row(0x100, UNWIND_CFA_SP, 1), row(0x200, UNWIND_CFA_SP, 2)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
    target.put(kText + 0x240, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
    std::vector<std::uint64_t> words(128, 7);
    words[3] = words[40] = kText + 0x24a;
    target.put_words(kStack, words);
    const auto stack = walk(kJit + 0x20);
    EXPECT_EQ(pcs(stack), (Pcs{kJit + 0x20}));
    expect_truncated(stack, UNWIND_NO_ROW);
}

TEST_P(Walker, StackPointerParkedInABuffer) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
    target.put(kText + 0x140, {0, 0, 0, 0, 0, 0xe8, 1, 2, 3, 4, 0, 0});
    std::vector<std::uint64_t> buffer(128, 3);
    buffer[15] = kStack;
    target.put_words(0x20000000, buffer);
    target.put_words(kStack, {0, 0, 0, 0, 0, 0, kText + 0x14a, kRoot});
    const auto stack = walk(kJit + 0x20, 0x20000000);
    EXPECT_EQ(pcs(stack), (Pcs{kJit + 0x20, kText + 0x14a, kRoot}));
    EXPECT_EQ(stack.flags, UNWIND_HEURISTIC);
}

TEST_P(Walker, NothingToBeFoundByScanning) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_JIT);
    target.put_words(kStack, std::vector<std::uint64_t>(128, 3));
    expect_truncated(walk(kJit + 0x20), UNWIND_NO_ROW);
}

TEST_P(Walker, ModuleWithoutTableIsWalkedByFramePointers) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.add_mapping(kJit, 0x1000, UNWIND_MAPPING_NO_TABLE);
    target.put_words(kStack, {0, 0, kStack + 48, kJit + 0x50, 0, 0, 0, kRoot});
    const auto stack = walk(kJit + 0x20, kStack, kStack + 16);
    EXPECT_EQ(pcs(stack), (Pcs{kJit + 0x20, kJit + 0x50, kRoot}));
    EXPECT_EQ(stack.flags, UNWIND_FRAME_POINTER);
}

TEST_P(Walker, ReturnProbeTrampolineIsReplaced) {
    module({row(0x100, UNWIND_CFA_SP, 1), row(0x200, UNWIND_CFA_SP, 2)});
    target.add_mapping(0x7ffff000, 0x1000, UNWIND_MAPPING_UPROBES);
    target.put_words(kStack, {0x7ffff000, 0, kRoot});
    expect_truncated(walk(kText + 0x110), UNWIND_TRAMPOLINE);
    in.saved_count = 1;
    in.saved[0] = {kStack, kText + 0x210};
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kText + 0x210, kRoot}));
}

TEST_P(Walker, ReturnProbeTrampolineIsReplacedBeforeItsMappingIsKnown) {
    module({row(0x100, UNWIND_CFA_SP, 1), row(0x200, UNWIND_CFA_SP, 2)});
    target.put_words(kStack, {0x7ffff000, 0, kRoot});
    in.saved_count = 1;
    in.saved[0] = {kStack, kText + 0x210};
    EXPECT_EQ(pcs(walk(kText + 0x110)), (Pcs{kText + 0x110, kText + 0x210, kRoot}));
}

TEST_P(Walker, UnreadableAndUnalignedStacks) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    expect_truncated(walk(kText + 0x110), UNWIND_BAD_READ);
    target.put_words(kStack, {kRoot, kRoot});
    expect_truncated(walk(kText + 0x110, kStack + 4), UNWIND_BAD_READ);
}

TEST_P(Walker, TopOfTheStackEndsInsideTheWindow) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.put_words(kStack + 4096 - 8, {kRoot});
    EXPECT_EQ(pcs(walk(kText + 0x110, kStack + 4096 - 8)), (Pcs{kText + 0x110, kRoot}));
}

TEST_P(Walker, GoesInNoCircles) {
    module({row(0x100, UNWIND_CFA_FP, 2, UNWIND_SAVED_CFA, -2)});
    target.put_words(kStack, {0, 0, kStack + 16, kText + 0x110, 0, 0});
    expect_truncated(walk(kText + 0x110, kStack, kStack + 16), UNWIND_LOOP);
}

TEST_P(Walker, StopsAtItsDepth) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.put_words(kStack, std::vector<std::uint64_t>(500, kText + 0x110));
    const auto stack = walk(kText + 0x110);
    expect_truncated(stack, UNWIND_TOO_DEEP);
    EXPECT_EQ(stack.depth, static_cast<__u32>(UNWIND_MAX_FRAMES));
}

TEST_P(Walker, ReturnAddressInNoCode) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.put_words(kStack, {0x123456789, 0});
    const auto stack = walk(kText + 0x110);
    expect_truncated(stack, UNWIND_NOT_CODE);
    EXPECT_EQ(stack.depth, 1U);
}

TEST_P(Walker, CodeThatWasMappedAMomentAgoIsMarked) {
    module({row(0x100, UNWIND_CFA_SP, 1)});
    target.put(kText + 0x140, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0, 0});  // call *%rax, to 0x14a
    target.put_words(kStack, {5, kText + 0x14a, kRoot, 0});
    const auto stack = walk(0x5000000);
    EXPECT_EQ(pcs(stack), (Pcs{0x5000000, kText + 0x14a, kRoot}));
    EXPECT_EQ(stack.flags, UNWIND_HEURISTIC | UNWIND_UNKNOWN_MAPPING);
}

TEST_P(Walker, UntracedProcess) {
    in.process = nullptr;
    in.ip = kText;
    host_run(&in);
    expect_truncated(in.stack, UNWIND_NO_PROCESS);
    EXPECT_EQ(in.stack.depth, 1U);
}

TEST_P(Walker, FewAndManyRowsOnAPage) {
    constexpr std::array<std::uint32_t, 9> kDistances{1, 3, 7, 8, 9, 16, 32, 64, 255};
    const auto page_at = [](std::size_t page) {
        return 0x100 + static_cast<std::uint32_t>(page) * 0x100;
    };
    std::vector<unwind_row> rows;
    for (std::size_t page = 0; page < kDistances.size(); ++page)
        for (std::uint32_t i = 0; i * kDistances[page] < 0x100; ++i)
            rows.push_back(
                row(page_at(page) + i * kDistances[page], UNWIND_CFA_SP, static_cast<int>(i + 1)));
    module(rows);
    const std::vector<std::uint64_t> words(260, kRoot);
    target.put_words(kStack, words);
    for (std::size_t page = 0; page < kDistances.size(); ++page) {
        // The index counts at most 255 rows a page.
        for (std::uint32_t offset = 0; offset < 0xff; ++offset) {
            const std::uint64_t pc = kText + page_at(page) + offset;
            const std::uint64_t slot = kStack + offset / kDistances[page] * 8;
            target.put_words(slot, {kRoot + 1});
            EXPECT_EQ(pcs(walk(pc)), (Pcs{pc, kRoot + 1})) << kDistances[page] << ' ' << offset;
            target.put_words(slot, {kRoot});
        }
    }
}

std::string loop_name(const testing::TestParamInfo<bool>& param) {
    return param.param ? "BoundedLoop" : "BpfLoop";
}

INSTANTIATE_TEST_SUITE_P(BpfHost, Walker, testing::Bool(), loop_name);

}  // namespace
}  // namespace asrtrace::unwind
