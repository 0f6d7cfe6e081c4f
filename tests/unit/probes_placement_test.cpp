// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Placement on byte sequences that are hard on purpose.
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/probes_hex.h"
#include "user/capture/placement.h"

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kEntry = 0x1000;

Placement place(std::string_view hex, const Need& need = {.return_probe = true}) {
    const auto code = from_hex(hex);
    Placement found = place_in_code(code, kEntry, need);
    EXPECT_EQ(found.vaddr, kEntry + found.delta);
    return found;
}

void expect_place(std::string_view hex, std::uint32_t delta, bool emulated,
                  const Need& need = {.return_probe = true}) {
    const Placement found = place(hex, need);
    EXPECT_EQ(found.delta, delta) << hex;
    EXPECT_EQ(found.emulated, emulated) << hex << " " << found.instruction;
}

constexpr Need kFreeNeed{.return_probe = false, .ignore_null = true};
constexpr Need kFreeWithNull{.return_probe = false};

TEST(Placement, PushAtTheEntry) {
    expect_place("41 54 55 53 48 89 fb c3", 0, true);  // push %r12; push %rbp; push %rbx; mov
    expect_place("55 48 89 e5 c3", 0, true);
    EXPECT_EQ(place("41 54 c3").instruction, "push r12");
}

TEST(Placement, EndbrIsPassed) {
    expect_place("f3 0f 1e fa 55 48 89 e5 5d c3", 4, true);
    expect_place("f3 0f 1e fa 48 89 fb c3", 0, false);  // nothing emulated: the symbol
}

TEST(Placement, ArgumentsMustBeUntouched) {
    expect_place("48 89 fb 55 5d c3", 3, true);                 // mov %rdi,%rbx
    expect_place("48 89 f7 55 5d c3", 0, false);                // mov %rsi,%rdi
    expect_place("40 b7 01 55 5d c3", 0, false);                // mov $1,%dil
    expect_place("31 f6 55 5d c3", 2, true, {.arguments = 1});  // xor %esi,%esi
    expect_place("31 f6 55 5d c3", 0, false, {.arguments = 2});
    expect_place("b6 01 55 5d c3", 2, true, {.arguments = 2});  // mov $1,%dh
    expect_place("b6 01 55 5d c3", 0, false, {.arguments = 3});
    expect_place("48 87 fe 55 5d c3", 0, false, {.arguments = 1});  // xchg %rdi,%rsi
    expect_place("48 f7 e6 55 5d c3", 0, false, {.arguments = 2});  // mul writes %rdx
    expect_place("f3 a4 55 5d c3", 0, false, {.arguments = 1});     // rep movsb
}

TEST(Placement, ReturnProbeWantsTheStackUnmoved) {
    constexpr std::string_view kSubFirst = "48 83 ec 18 74 02 90 90 c3";  // sub $0x18,%rsp; je
    expect_place(kSubFirst, 0, false);
    expect_place(kSubFirst, 4, true, kFreeWithNull);
    EXPECT_EQ(place(kSubFirst, kFreeWithNull).stack_bytes, 0x18U);
    expect_place("ff 37 74 02 90 90 c3", 0, false);  // push (%rdi): single-stepped
    EXPECT_EQ(place("ff 37 74 02 90 90 c3", kFreeWithNull).stack_bytes, 8U);
    expect_place("48 83 e4 f0 55 c3", 0, false, kFreeWithNull);  // and $-16,%rsp: unknown depth
    expect_place("4c 8d 54 24 08 48 83 e4 f0 55 c3", 0, false, kFreeWithNull);
    expect_place("5f 55 c3", 0, false, kFreeWithNull);  // pop %rdi
}

TEST(Placement, NullTest) {
    constexpr std::string_view kDebian = "48 85 ff 0f 84 03 00 00 00 55 5d c3 c3";
    expect_place(kDebian, 9, true, kFreeNeed);
    expect_place(kDebian, 3, true, kFreeWithNull);
    expect_place("48 85 ff 74 02 55 c3 c3", 5, true, kFreeNeed);
    expect_place("48 83 ff 00 74 02 55 c3 c3", 6, true, kFreeNeed);  // cmp $0,%rdi
    expect_place("48 85 ff 48 8b 05 00 00 00 00 74 02 55 c3 c3", 12, true, kFreeNeed);
    // Nothing emulated behind the test: its jump is right for every non-NULL call too.
    expect_place("48 85 ff 74 03 48 89 fe c3", 3, true, kFreeNeed);
    // The jump is taken by the calls that count.
    expect_place("48 85 ff 75 01 c3 55 5d c3", 3, true, kFreeNeed);
    // Another register, or flags from elsewhere: no NULL test.
    expect_place("48 85 f6 74 02 55 c3 c3", 3, true, kFreeNeed);
    expect_place("48 85 ff 48 83 c0 01 74 02 55 c3 c3", 7, true, kFreeNeed);
    // Only one test is passed.
    expect_place("48 85 ff 74 07 48 85 ff 74 02 55 c3 c3", 8, true, kFreeNeed);
}

TEST(Placement, JumpTargetsEndTheSearch) {
    // mov; 3: push; ...; jmp 3: a loop would hit the probe again.
    expect_place("48 89 fb 55 5d eb fc", 0, false);
    expect_place("48 89 fb 55 5d 48 ff cb 75 f8 c3", 0, false);
    // The loop begins behind the place.
    expect_place("48 89 fb 55 5d eb fd", 3, true);
    // A target inside an instruction that was passed.
    expect_place("48 89 fb 55 5d eb fa", 0, false);
    // Somebody else jumps there.
    const auto code = from_hex("48 89 fb 55 5d c3");
    const std::vector<std::uint64_t> target{kEntry + 3};
    EXPECT_EQ(place_in_code(code, kEntry, {}, target).delta, 0U);
    const std::vector<std::uint64_t> behind{kEntry + 4};
    EXPECT_EQ(place_in_code(code, kEntry, {}, behind).delta, 3U);
}

TEST(Placement, BranchesAreGoodPlaces) {
    expect_place("80 3d 71 0e 14 00 00 74 07 e9 34 f6 ff ff", 7, true, {.arguments = 2});
    expect_place("e8 00 01 00 00 c3", 0, true);           // call first
    expect_place("48 89 fb e8 00 01 00 00 c3", 3, true);  // arguments live at the call
    expect_place("e9 00 01 00 00", 0, true);
    expect_place("ff 25 00 00 00 00", 0, false);  // jmp *(%rip): single-stepped
    expect_place("48 89 fb ff e0", 0, false);
    expect_place("48 89 fb e3 02 90 90 c3", 0, false);  // jrcxz
}

TEST(Placement, WithoutAPlaceItIsTheSymbol) {
    expect_place("c3", 0, false);
    expect_place("48 89 f8 c3 55", 0, false);  // push behind the ret
    expect_place("", 0, false);
    expect_place("06 07 ff ff ff", 0, false);  // no instructions
    expect_place("48 89 fb ff ff ff 55", 0, false);
    expect_place("48 89", 0, false);              // cut short
    expect_place("48 89 fb 0f 05 55", 0, false);  // syscall
    std::string far;
    for (int i = 0; i < 30; ++i) far += "48 89 fb ";
    expect_place(far + "55 c3", 0, false);  // beyond the window
}

TEST(Placement, Emulation) {
    const auto emulated = [](std::string_view hex, bool long_nops = false) {
        return is_emulated(from_hex(hex), long_nops);
    };
    for (const char* hex :
         {"90", "f3 90", "50", "57", "41 50", "41 57", "eb 00", "e9 00 00 00 00", "e8 00 00 00 00",
          "70 00", "7f 00", "0f 80 00 00 00 00", "0f 8f 00 00 00 00", "f2 e9 00 00 00 00"})
        EXPECT_TRUE(emulated(hex)) << hex;
    for (const char* hex : {"",
                            "66",
                            "41",
                            "66 90",
                            "41 90",
                            "66 50",
                            "48 50",
                            "40 50",
                            "3e 74 00",
                            "2e 75 00",
                            "0f 1f 00",
                            "0f 1f 44 00 00",
                            "f3 0f 1e fa",
                            "c3",
                            "cc",
                            "e3 00",
                            "e2 00",
                            "ff d0",
                            "66 e9 00 00",
                            "48 89 fb",
                            "0f",
                            "6a 00",
                            "68 00 00 00 00",
                            "f0 90"})
        EXPECT_FALSE(emulated(hex)) << hex;
    EXPECT_TRUE(emulated("0f 1f 44 00 00", true));
    EXPECT_TRUE(emulated("66 90", true));
    EXPECT_FALSE(emulated("f3 0f 1e fa", true));
    EXPECT_FALSE(emulated("66 2e 0f 1f 84 00 00 00 00 00", true));
    expect_place("0f 1f 44 00 00 48 89 fb c3", 0, true, {.long_nops = true});
    expect_place("0f 1f 44 00 00 55 c3", 5, true);
}

/// A module of one executable segment at kEntry, with `code` there and `elsewhere` 0x700 behind it.
Placement place_in_module(std::string_view code, std::string_view elsewhere, std::uint64_t size) {
    std::vector<std::uint8_t> file(0x2000, 0xcc);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_vaddr = kEntry;
    segment.p_offset = 0x800;
    segment.p_filesz = segment.p_memsz = 0x1800;
    std::memcpy(file.data(), &header, sizeof(header));
    std::memcpy(&file[sizeof(header)], &segment, sizeof(segment));
    std::ranges::copy(from_hex(code), file.begin() + 0x800);
    std::ranges::copy(from_hex(elsewhere), file.begin() + 0xf00);
    const auto module = ElfModule::from_bytes(file, "made");
    EXPECT_TRUE(module.ok());
    ElfSymbol symbol{"f", kEntry, size, 0x800, true, false};
    return place_entry(*module, symbol, {});
}

TEST(Placement, JumpsFromElsewhereInTheModule) {
    constexpr std::string_view kCode = "48 89 fb 55 5d c3";
    EXPECT_EQ(place_in_module(kCode, "c3", 6).file_offset, 0x803U);
    // 0x1700 + length + distance = 0x1003
    EXPECT_EQ(place_in_module(kCode, "e9 fe f8 ff ff", 6).file_offset, 0x800U);
    EXPECT_EQ(place_in_module(kCode, "0f 84 fd f8 ff ff", 6).file_offset, 0x800U);
    EXPECT_EQ(place_in_module(kCode, "e8 fe f8 ff ff", 6).file_offset, 0x800U);
    // To the entry itself: an ordinary tail call.
    EXPECT_EQ(place_in_module(kCode, "e9 fb f8 ff ff", 6).file_offset, 0x803U);
    // Of a function without a size the own short jumps are not known.
    EXPECT_EQ(place_in_module(kCode, "c3", 0).file_offset, 0x800U);
}

}  // namespace
}  // namespace asrtrace::capture
