// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Call frame information written byte by byte: what real libraries do not show.
#include <dwarf.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "user/unwind/cfi.h"
#include "user/unwind/table.h"

namespace asrtrace::unwind {
namespace {

using Code = std::vector<std::uint8_t>;

void append32(Code& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void append64(Code& out, std::uint64_t value) {
    append32(out, static_cast<std::uint32_t>(value));
    append32(out, static_cast<std::uint32_t>(value >> 32));
}

/// One CIE (version 1, no augmentation: absolute pointers) and one FDE over [0x1000, 0x1100).
Code section(std::uint8_t return_address, const Code& initial, const Code& instructions,
             std::uint8_t code_align = 1) {
    Code out;
    Code cie{1, 0, code_align, 0x78 /* -8 */, return_address};
    cie.insert(cie.end(), initial.begin(), initial.end());
    append32(out, static_cast<std::uint32_t>(cie.size() + 4));
    append32(out, 0);
    out.insert(out.end(), cie.begin(), cie.end());
    const auto pointer = static_cast<std::uint32_t>(out.size() + 4);
    append32(out, static_cast<std::uint32_t>(instructions.size() + 4 + 16));
    append32(out, pointer);
    append64(out, 0x1000);
    append64(out, 0x100);
    out.insert(out.end(), instructions.begin(), instructions.end());
    return out;
}

Result<UnwindTable> build(std::uint16_t machine, Code eh_frame) {
    CfiSource source;
    source.machine = machine;
    source.text_begin = 0x1000;
    source.text_bytes = 0x1000;
    source.eh_frame = {0x9000, std::move(eh_frame), true};
    return build_table(source);
}

Code x86_initial() {
    return {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
}
Code arm64_initial() {
    return {DW_CFA_def_cfa, 31, 0};
}

unwind_row row_at(const Result<UnwindTable>& table, std::uint64_t offset) {
    const unwind_row* row = find_row(*table, offset);
    return row == nullptr ? unwind_row{} : *row;
}

void expect_row(const unwind_row& row, int cfa, int words, int saved, int fp_words) {
    EXPECT_EQ(row.rule & 0xf, cfa);
    EXPECT_EQ(row.cfa_offset, words);
    EXPECT_EQ(row.rule >> 4, saved);
    EXPECT_EQ(row.fp_offset, fp_words);
}

TEST(Cfi, RowsEndWithTheFunction) {
    const auto table = build(EM_X86_64, section(16, x86_initial(), {}));
    ASSERT_TRUE(table);
    expect_row(row_at(table, 0), UNWIND_CFA_SP, 1, UNWIND_SAVED_NONE, 0);
    expect_row(row_at(table, 0xff), UNWIND_CFA_SP, 1, UNWIND_SAVED_NONE, 0);
    expect_row(row_at(table, 0x100), UNWIND_CFA_NONE, 0, 0, 0);
    EXPECT_EQ(find_row(*table, 0x1000), nullptr);
}

TEST(Cfi, RememberedStatesComeBack) {
    const auto table = build(
        EM_X86_64, section(16, x86_initial(),
                           {DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
                            DW_CFA_remember_state, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 8,
                            DW_CFA_restore | 6, DW_CFA_advance_loc | 1, DW_CFA_restore_state}));
    ASSERT_TRUE(table);
    expect_row(row_at(table, 1), UNWIND_CFA_SP, 2, UNWIND_SAVED_CFA, -2);
    expect_row(row_at(table, 2), UNWIND_CFA_SP, 1, UNWIND_SAVED_NONE, 0);
    expect_row(row_at(table, 3), UNWIND_CFA_SP, 2, UNWIND_SAVED_CFA, -2);
}

TEST(Cfi, UnknownInstructionSpoilsTheRestOfItsFunctionOnly) {
    const auto table = build(EM_X86_64, section(16, x86_initial(), {DW_CFA_advance_loc | 4, 0x3f}));
    ASSERT_TRUE(table);
    expect_row(row_at(table, 3), UNWIND_CFA_SP, 1, UNWIND_SAVED_NONE, 0);
    expect_row(row_at(table, 4), UNWIND_CFA_BAD, 0, 0, 0);
    expect_row(row_at(table, 0x100), UNWIND_CFA_NONE, 0, 0, 0);
}

TEST(Cfi, WhatARowCannotHoldIsABadRule) {
    // An odd offset, and one beyond 256 KiB.
    auto table = build(EM_X86_64, section(16, x86_initial(), {DW_CFA_def_cfa_offset, 12}));
    expect_row(row_at(table, 0), UNWIND_CFA_BAD, 0, 0, 0);
    table = build(EM_X86_64, section(16, x86_initial(), {DW_CFA_def_cfa_offset, 0x80, 0x80, 0x20}));
    expect_row(row_at(table, 0), UNWIND_CFA_BAD, 0, 0, 0);
    // A frame pointer that nobody can find again.
    table = build(EM_X86_64, section(16, x86_initial(), {DW_CFA_register, 6, 3}));
    expect_row(row_at(table, 0), UNWIND_CFA_SP, 1, UNWIND_SAVED_LOST, 0);
}

TEST(Cfi, OutermostFrame) {
    const auto table = build(EM_X86_64, section(16, x86_initial(), {DW_CFA_undefined, 16}));
    expect_row(row_at(table, 0), UNWIND_CFA_END, 0, 0, 0);
}

TEST(Cfi, Arm64FrameRecordsFitTheSameRow) {
    // stp x29, x30, [sp, #-32]!: both saved; a leaf; x30 alone; a big frame saved at its bottom.
    const auto arm = [](const Code& code) {
        return build(EM_AARCH64, section(30, arm64_initial(), code, 4));
    };
    auto table = arm({DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 29, 4,
                      DW_CFA_offset | 30, 3});
    expect_row(row_at(table, 0), UNWIND_CFA_SP, 0, UNWIND_SAVED_NONE, 0);
    expect_row(row_at(table, 4), UNWIND_CFA_SP, 4, UNWIND_SAVED_CFA, -4);
    table = arm({DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 30, 2});
    expect_row(row_at(table, 0), UNWIND_CFA_SP, 2, UNWIND_SAVED_RA_ONLY, -2);
    table = arm({DW_CFA_def_cfa_offset, 0x80, 0x20, DW_CFA_offset | 29, 0x80, 0x04,
                 DW_CFA_offset | 30, 0xff, 0x03});
    expect_row(row_at(table, 0), UNWIND_CFA_SP, 512, UNWIND_SAVED_SP, 0);
    // The same once x29 points there.
    table = arm({DW_CFA_def_cfa, 29, 0x80, 0x20, DW_CFA_offset | 29, 0x80, 0x04, DW_CFA_offset | 30,
                 0xff, 0x03});
    expect_row(row_at(table, 0), UNWIND_CFA_FP, 512, UNWIND_SAVED_FP, 0);
}

TEST(Cfi, DamagedEntriesAreCountedAndPassedOver) {
    Code bytes = section(16, x86_initial(), {});
    const Code good = section(16, x86_initial(), {});
    bytes[5] = 9;  // the CIE id becomes a pointer before the section
    bytes.insert(bytes.end(), good.begin(), good.end());
    const auto table = build(EM_X86_64, bytes);
    ASSERT_TRUE(table);
    EXPECT_GT(table->damaged_entries, 0U);
}

TEST(Cfi, EveryTruncationIsSurvived) {
    const Code whole = section(
        16, x86_initial(), {DW_CFA_advance_loc | 1, DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8});
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        EXPECT_TRUE(
            build(EM_X86_64, Code(whole.begin(), whole.begin() + static_cast<long>(length))));
    }
}

TEST(Cfi, OverlappingFunctionsGiveAscendingRows) {
    Code bytes = section(16, x86_initial(), {DW_CFA_advance_loc | 8, DW_CFA_def_cfa_offset, 16});
    Code second = bytes;
    second[second.size() - 3 - 16] = 4;  // begins at 0x1004
    bytes.insert(bytes.end(), second.begin(), second.end());
    const auto table = build(EM_X86_64, bytes);
    ASSERT_TRUE(table);
    for (std::size_t i = 1; i < table->rows.size(); ++i) {
        EXPECT_LE(table->rows[i - 1].pc, table->rows[i].pc);
    }
}

TEST(Elf, NonsenseIsAnError) {
    EXPECT_FALSE(ElfFile::from_bytes({}));
    EXPECT_FALSE(ElfFile::from_bytes(Code(64, 0)));
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = EM_X86_64;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 0xffff;
    header.e_phoff = ~std::uint64_t{0} - 8;
    Code bytes(sizeof(header));
    std::memcpy(bytes.data(), &header, sizeof(header));
    EXPECT_FALSE(ElfFile::from_bytes(bytes));
}

}  // namespace
}  // namespace asrtrace::unwind
