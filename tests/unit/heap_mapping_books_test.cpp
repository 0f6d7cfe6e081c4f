// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/mapping_books.h"

#include <gtest/gtest.h>

namespace asrtrace::heap {
namespace {

constexpr const char* kSmaps =
    "1000-3000 r-xp 00000000 08:01 7 /bin/prog\n"
    "Rss:                   8 kB\nAnonymous:             0 kB\nLazyFree: 0 kB\n"
    "3000-5000 rw-p 00002000 08:01 7 /bin/prog\nAnonymous:             4 kB\n"
    "5000-7000 rw-p 00000000 00:00 0 \nAnonymous:             8 kB\n"
    "8000-c000 rw-p 00000000 00:00 0 [heap]\nAnonymous:            16 kB\n"
    "10000-20000 rw-p 00000000 00:00 0 \nAnonymous:            64 kB\n"
    "20000-24000 rw-s 00000000 00:01 9 /dev/zero (deleted)\nAnonymous:             0 kB\n"
    "30000-34000 rw-p 00000000 00:00 0 [stack]\nAnonymous:            12 kB\n"
    "VmFlags: rd wr mr mw me gd ac\n";

TEST(Smaps, EveryMappingWithItsAnonymousBytes) {
    const auto smaps = parse_smaps(kSmaps);
    ASSERT_EQ(smaps.size(), 7U);
    EXPECT_EQ(smaps[0].mapping.path, "/bin/prog");
    EXPECT_EQ(smaps[3].anonymous, 16384U);
    EXPECT_TRUE(parse_smaps("Anonymous: 5 kB\nrubbish\n").empty());
}

TEST(MappingBooks, EveryByteBelongsToOneClass) {
    // malloc has the heap but its first page, and the middle of the mapping at 0x10000; a thread
    // that runs and one that ended have the rest of that, but 0x4000 bytes.
    const std::vector<MallocRange> ranges{{.begin = 0x9000, .end = 0xc000},
                                          {.begin = 0x14000, .end = 0x18000}};
    const std::vector<ThreadBlock> threads{
        {.address = 1, .stack_begin = 0x18000, .stack_end = 0x1c000, .alive = true},
        {.address = 2, .stack_begin = 0x1c000, .stack_end = 0x20000, .alive = false}};
    const auto all_resident = [](std::uint64_t begin, std::uint64_t end) { return end - begin; };
    const auto books = mapping_books(parse_smaps(kSmaps), ranges, threads, all_resident);
    EXPECT_EQ(books.image, 0x1000U + 0x2000U) << "the file's private copy and its .bss";
    EXPECT_EQ(books.stack, 0x3000U + 0x8000U);
    EXPECT_EQ(books.stack_cached, 0x4000U);
    EXPECT_EQ(books.anon_mapped, 0x1000U + 0x4000U);
    EXPECT_EQ(books.anonymous, 104U * 1024);
    const std::uint64_t of_malloc = 0x3000 + 0x4000;
    EXPECT_EQ(books.image + books.stack + books.anon_mapped + of_malloc, books.anonymous);
}

}  // namespace
}  // namespace asrtrace::heap
