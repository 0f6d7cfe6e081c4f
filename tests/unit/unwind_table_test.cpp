// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every row of real libraries against libdw, from the first text byte to the last.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "tests/unit/unwind_oracle.h"
#include "user/unwind/table.h"

namespace asrtrace::unwind {
namespace {

struct Tally {
    std::uint64_t ranges = 0;
    std::uint64_t equal = 0;
    std::uint64_t different = 0;
    std::uint64_t unknown_to_libdw = 0;
};

bool same_rule(const unwind_row& a, const unwind_row& b) {
    return a.rule == b.rule && a.fp_offset == b.fp_offset && a.cfa_offset == b.cfa_offset;
}

void print_difference(std::uint64_t address, const unwind_row& ours, const unwind_row& theirs) {
    std::fprintf(stderr, "  %#lx: rule %#x fp %d cfa %d, libdw rule %#x fp %d cfa %d\n", address,
                 ours.rule, ours.fp_offset, ours.cfa_offset, theirs.rule, theirs.fp_offset,
                 theirs.cfa_offset);
}

/// Walks our rows; each must be what libdw says at its first and last byte.
Tally compare(const UnwindTable& table, const Oracle& oracle) {
    Tally tally;
    std::uint64_t offset = 0;
    std::uint64_t previous_pc = ~std::uint64_t{0};
    while (offset < table.text_bytes) {
        const unwind_row* row = find_row(table, offset);
        // A page's rows end with the page or the next row, whichever comes first.
        std::uint64_t end = (offset | 0xff) + 1;
        const std::uint64_t word = table.index[offset >> 8];
        const unwind_row* last = table.rows.data() + (word >> 8) + (word & 0xff);
        if (row + 1 < last) end = std::min<std::uint64_t>(end, row[1].pc);
        if (row->pc != previous_pc || row->rule == UNWIND_CFA_NONE) {
            ++tally.ranges;
            for (const std::uint64_t at : {offset, end - 1}) {
                const auto theirs = oracle.at(table.text_begin + at);
                const unwind_row expected = theirs ? theirs->row : unwind_row{};
                const bool equal = same_rule(*row, expected);
                if (!theirs && row->rule != UNWIND_CFA_NONE) ++tally.unknown_to_libdw;
                equal ? ++tally.equal : ++tally.different;
                if (!equal && tally.different <= 5) {
                    print_difference(table.text_begin + at, *row, expected);
                }
            }
        }
        previous_pc = row->pc;
        offset = end;
    }
    return tally;
}

class RealLibrary : public testing::TestWithParam<const char*> {};

TEST_P(RealLibrary, RowsAreWhatLibdwSays) {
    const std::string path = GetParam();
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) GTEST_SKIP() << path << " is not installed";
    auto file = ElfFile::open(std::move(fd));
    ASSERT_TRUE(file) << file.error().message;
    const auto table = build_table(*file);
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(table->damaged_entries, 0U);
    const auto oracle = Oracle::open(path);
    ASSERT_NE(oracle, nullptr);
    const Tally tally = compare(*table, *oracle);
    std::printf("%s: %zu rows, %lu ranges, %lu different\n", path.c_str(), table->rows.size(),
                tally.ranges, tally.different);
    EXPECT_GT(tally.ranges, 100U);
    EXPECT_EQ(tally.different, 0U) << tally.unknown_to_libdw << " unknown to libdw";
}

INSTANTIATE_TEST_SUITE_P(
    Unwind, RealLibrary,
    testing::Values("/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libstdc++.so.6",
                    "/lib/x86_64-linux-gnu/libdnnl.so.2", "/lib/x86_64-linux-gnu/libcrypto.so.3",
                    "/lib64/ld-linux-x86-64.so.2", "/usr/bin/python3.11", "/proc/self/exe"));

}  // namespace
}  // namespace asrtrace::unwind
