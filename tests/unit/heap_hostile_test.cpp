// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Heaps that lie: refused with a reason, in bounded time.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/heap_image_builder.h"
#include "tests/unit/heap_image_census.h"

namespace asrtrace::heap {
namespace {

constexpr std::chrono::milliseconds kTime{2000};

struct Hostile : testing::Test {
    void SetUp() override { build_heap(layouts()[2], built); }
    std::string refuse() {
        for (bool still : {false, true}) {
            const ImageOutcome outcome = image_census(built.image, still, kTime);
            EXPECT_FALSE(outcome.census);
            reason = outcome.reason;
        }
        return reason;
    }
    BuiltHeap built;
    std::string reason;
};

TEST_F(Hostile, SizesOfAllOnes) {
    for (std::uint64_t chunk : built.chunks) built.image.put(chunk + 8, ~0ULL);
    EXPECT_NE(refuse(), "");
}

TEST_F(Hostile, SizesOfZero) {
    built.image.put(built.chunks[3] + 8, 0);
    EXPECT_NE(refuse().find("impossible size"), std::string::npos) << reason;
}

TEST_F(Hostile, AChunkLargerThanItsHeap) {
    built.image.put(built.chunks[2] + 8, 0x7000000001);
    EXPECT_NE(refuse().find("larger than its heap"), std::string::npos) << reason;
}

TEST_F(Hostile, ABinThatRunsInACircle) {
    built.image.put(built.free_chunk + 16, built.free_chunk);
    const ImageOutcome outcome = image_census(built.image, true, kTime);
    EXPECT_NE(outcome.reason.find("circle"), std::string::npos) << outcome.reason;
}

TEST_F(Hostile, ABinThatLeadsAstray) {
    built.image.put(built.free_chunk + 16, 0x4141414141414141);
    const ImageOutcome outcome = image_census(built.image, true, kTime);
    EXPECT_NE(outcome.reason.find("no chunk"), std::string::npos) << outcome.reason;
}

TEST_F(Hostile, AFastbinThatRunsInACircle) {
    const std::uint64_t head = *built.image.read_value<std::uint64_t>(built.main_arena + 24);
    built.image.put(head + 16, head ^ (head + 16) >> 12);
    const ImageOutcome outcome = image_census(built.image, true, kTime);
    EXPECT_FALSE(outcome.census);
}

TEST_F(Hostile, ARingOfArenasThatDoesNotClose) {
    const std::uint64_t second = built.heap_info + 0x30;
    built.image.put(second + 112 + kNextBehindBins, second);
    EXPECT_NE(refuse(), "");
}

TEST_F(Hostile, AChainOfHeapsThatRunsInACircle) {
    built.image.put(built.heap_info + 8, built.heap_info);
    EXPECT_NE(refuse(), "");
}

TEST_F(Hostile, AHeapLargerThanAHeapCanBe) {
    built.image.put(built.heap_info + 16, 1ULL << 40);
    EXPECT_NE(refuse().find("heap_info"), std::string::npos) << reason;
}

TEST_F(Hostile, ASwappedPageIsInconclusive) {
    built.image.touch(0x555500000000 + 0x6000, PageKind::kSwapped);
    built.image.touch(built.chunks[6] & ~0xfffULL, PageKind::kSwapped);
    EXPECT_NE(refuse().find("inconclusive (swapped)"), std::string::npos) << reason;
}

TEST_F(Hostile, APageThatIsNotThere) {
    built.image.forget(built.chunks[6]);
    EXPECT_NE(refuse().find("not there"), std::string::npos) << reason;
}

TEST_F(Hostile, AWrongCountOfMappedChunks) {
    const std::uint32_t count = 3;
    built.image.write(built.parameters + 60, {reinterpret_cast<const std::uint8_t*>(&count), 4});
    built.image.write(built.parameters + 68, {reinterpret_cast<const std::uint8_t*>(&count), 4});
    const ImageOutcome outcome = image_census(built.image, true, kTime);
    EXPECT_NE(outcome.reason.find("mapped chunks"), std::string::npos) << outcome.reason;
}

TEST_F(Hostile, TheZeroPageIsNoMemory) {
    const ImageOutcome before = image_census(built.image, true, kTime);
    ASSERT_TRUE(before.census) << before.reason;
    built.image.touch(built.free_chunk + 0x2000, PageKind::kZero);
    const ImageOutcome after = image_census(built.image, true, kTime);
    ASSERT_TRUE(after.census) << after.reason;
    EXPECT_EQ(before.census->totals.resident_free - after.census->totals.resident_free, 4096U);
    EXPECT_EQ(before.census->totals.releasable - after.census->totals.releasable, 4096U);
}

TEST_F(Hostile, OtherProgramsAreNamed) {
    ImageMemory image;
    image.set_maps("7f0000000000-7f0000001000 rw-p 0 fe:01 7 /lib/ld-musl-x86_64.so.1\n");
    EXPECT_NE(image_census(image, true, kTime).reason.find("musl"), std::string::npos);
    image.set_maps(
        "400000-401000 r-xp 0 fe:01 7 /bin/x\n"
        "7f0000000000-7f0000001000 rw-p 0 fe:01 7 /lib/libc.so.6\n"
        "7f0000001000-7f0000002000 rw-p 0 fe:01 8 /lib/libjemalloc.so.2\n");
    EXPECT_NE(image_census(image, true, kTime).reason.find("libjemalloc"), std::string::npos);
    image.set_maps("400000-401000 rw-p 0 fe:01 7 /bin/go-program\n");
    EXPECT_NE(image_census(image, true, kTime).reason.find("static"), std::string::npos);
    image.set_maps("");
    EXPECT_FALSE(image_census(image, true, kTime).census);
}

TEST_F(Hostile, RandomDamageEndsInAnAnswer) {
    std::mt19937_64 random(20240607);
    const auto begin = std::chrono::steady_clock::now();
    for (int round = 0; round < 300; ++round) {
        BuiltHeap heap;
        build_heap(layouts()[static_cast<std::size_t>(round) % layouts().size()], heap);
        for (int i = 0; i < 1 + round % 20; ++i) {
            const std::uint64_t places[] = {heap.main_arena, heap.main_first, heap.heap_info,
                                            heap.parameters, heap.chunks[random() % 8]};
            const std::uint64_t at = places[random() % 5] + random() % 3000 / 8 * 8;
            const std::uint64_t words[] = {random(), ~0ULL, 0, heap.chunks[random() % 8],
                                           random() % 0x10000 | 1};
            heap.image.put(at, words[random() % 5]);
        }
        (void)image_census(heap.image, round % 2 == 0, kTime);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

}  // namespace
}  // namespace asrtrace::heap
