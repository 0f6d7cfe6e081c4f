// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Files that a target may map to harm the tracer: cut off, with flipped bytes, shortened while we
// read. The answers do not matter; coming back does.
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/unit/sparse_elf.h"
#include "tests/unit/symbols_fixture.h"
#include "user/base/escape.h"
#include "user/symbols/elf_image.h"
#include "user/symbols/function_search.h"
#include "user/symbols/inflate.h"

namespace asrtrace::symbols {
namespace {

using testing::extent_of;
using testing::MappedImage;
using testing::read_bytes;
using testing::run;
using testing::ScratchDirectory;
using testing::write_bytes;

/// Some lookups all over the file; the intact file's addresses, as a target would have them.
void look_around(const std::string& path, std::size_t size) {
    MappedImage image(path);
    for (std::size_t offset = 0; offset < size; offset += size / 97 + 1) {
        EXPECT_FALSE(image.at_offset(offset).empty());
    }
    (void)image.symbolizer().modules();
    (void)find_function(path, "sample::outermost");
}

class Hostile : public ::testing::TestWithParam<const char*> {
  protected:
    ScratchDirectory scratch_;
    std::string path_ = scratch_ / "hostile";
    std::vector<std::uint8_t> intact_ = read_bytes(GetParam());
    std::mt19937_64 random_{7};
};

TEST_P(Hostile, TruncatedAnywhere) {
    for (int round = 0; round < 60; ++round) {
        auto bytes = intact_;
        bytes.resize(random_() % bytes.size());
        write_bytes(path_, bytes);
        look_around(path_, intact_.size());
    }
}

TEST_P(Hostile, RandomBytesFlipped) {
    for (int round = 0; round < 120; ++round) {
        auto bytes = intact_;
        const std::size_t flips = std::size_t{1} << (random_() % 10);
        for (std::size_t i = 0; i < flips; ++i) {
            bytes[random_() % bytes.size()] = static_cast<std::uint8_t>(random_());
        }
        write_bytes(path_, bytes);
        look_around(path_, intact_.size());
    }
}

/// Headers and section tables, where a flipped byte does the most.
TEST_P(Hostile, HeadersFlipped) {
    for (int round = 0; round < 120; ++round) {
        auto bytes = intact_;
        for (int i = 0; i < 3; ++i) {
            const std::size_t at = random_() % 2048;
            bytes[random_() % 2 == 0 ? at : bytes.size() - 1 - at] =
                static_cast<std::uint8_t>(random_());
        }
        write_bytes(path_, bytes);
        look_around(path_, intact_.size());
    }
}

INSTANTIATE_TEST_SUITE_P(Symbols, Hostile,
                         ::testing::Values(SAMPLE_PIE, SAMPLE_COMPRESSED, SAMPLE_DWARF4));

TEST(HostileFile, ShortenedWhileMapped) {
    const ScratchDirectory scratch;
    const std::string path = scratch / "shrinking";
    write_bytes(path, read_bytes(SAMPLE_PIE));
    MappedImage image(path);
    ASSERT_EQ(::truncate(path.c_str(), 4096), 0);
    const auto extent = extent_of(SAMPLE_PIE, "main");
    EXPECT_EQ(image.at(extent.begin).front().function, "");
    ASSERT_EQ(::truncate(path.c_str(), 0), 0);
    EXPECT_FALSE(image.at(extent.begin + 1).empty());
}

/// A .strtab and a .symtab with one function, all of the code.
void name_function(SparseElf& elf, const std::string& name) {
    constexpr std::uint64_t kSymbols = 0x2000, kStrings = 0x3000;
    Elf64_Sym symbol{};
    symbol.st_name = 1;
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    symbol.st_value = elf.kText;
    symbol.st_size = elf.kTextBytes;
    elf.put_record(kSymbols + sizeof symbol, symbol);
    elf.put(kStrings + 1, name);
    Elf64_Shdr strings{};
    strings.sh_type = SHT_STRTAB;
    strings.sh_offset = kStrings;
    strings.sh_size = name.size() + 2;
    Elf64_Shdr symbols{};
    symbols.sh_type = SHT_SYMTAB;
    symbols.sh_offset = kSymbols;
    symbols.sh_size = 2 * sizeof symbol;
    symbols.sh_entsize = sizeof symbol;
    symbols.sh_link = elf.section(".strtab", strings);
    elf.section(".symtab", symbols);
    elf.finish(kStrings + name.size() + 0x1000);
}

TEST(HostileFile, ANameOfManyMegabytesIsCut) {
    const ScratchDirectory scratch;
    for (const std::string start : {"f", "_ZN", "_R"}) {
        SparseElf elf(scratch / "long");
        name_function(elf, start + std::string(20'000'000, '\xff'));
        const auto frames = MappedImage(scratch / "long").at(elf.kText + 5);
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_EQ(frames[0].function.size(), kMaxNameBytes);
        EXPECT_TRUE(frames[0].function.starts_with(start + '\xff'));
        EXPECT_TRUE(frames[0].function.ends_with("\xff..."));
    }
}

TEST(HostileFile, OneBadFileDoesNotDisturbTheRest) {
    const ScratchDirectory scratch;
    write_bytes(scratch / "bad", std::vector<std::uint8_t>(5000, 0x7f));
    MappedImage bad(scratch / "bad");
    EXPECT_EQ(frame_name(bad.at_offset(0x10).front()), "bad+0x10");
    EXPECT_EQ(bad.symbolizer().counters().modules_failed, 1U);
    ASSERT_EQ(bad.symbolizer().counters().errors.size(), 1U);
    EXPECT_NE(bad.symbolizer().counters().errors[0].find("/bad: "), std::string::npos);
}

constexpr std::uint64_t kHole = 0x2000;  ///< where the files below hold nothing, on a disk either
constexpr std::uint64_t kHoleBytes = std::uint64_t{1} << 30U;

Elf64_Shdr over_the_hole(std::uint32_t type) {
    Elf64_Shdr header{};
    header.sh_type = type;
    header.sh_offset = kHole;
    header.sh_size = kHoleBytes;
    header.sh_entsize = 16;
    header.sh_addralign = 8;
    return header;
}

Result<ElfImage> open_image(const std::string& path) {
    auto file = MappedFile::open(path);
    if (!file) return file.error();
    return ElfImage::open(std::move(*file), path);
}

/// Sections that lie over each other are as large together as somebody likes.
TEST(HostileFile, ACopyOfItsSectionsDoesNotFillTheDisk) {
    const ScratchDirectory scratch;
    SparseElf elf(scratch / "many");
    for (int i = 0; i < 3; ++i) elf.section(".debug_info", over_the_hole(SHT_PROGBITS));
    elf.finish(kHole + kHoleBytes);
    const auto image = open_image(scratch / "many");
    ASSERT_TRUE(image);
    const auto copy = inflate_debug_sections(*image);
    ASSERT_FALSE(copy);
    EXPECT_NE(copy.error().message.find("larger than is allowed"), std::string::npos);
}

TEST(HostileFile, WhatWasInflatedMakesRoomAgain) {
    const ScratchDirectory scratch;
    SparseElf elf(scratch / "bomb");
    elf.put_record(kHole, Elf64_Chdr{ELFCOMPRESS_ZLIB, 0, kHoleBytes, 1});
    Elf64_Shdr header = over_the_hole(SHT_PROGBITS);
    header.sh_flags = SHF_COMPRESSED;
    header.sh_size = 0x1000;
    elf.section(".debug_info", header);
    elf.finish(kHole + 0x1000);
    const auto bomb = open_image(scratch / "bomb");
    const auto honest = open_image(SAMPLE_COMPRESSED);
    ASSERT_TRUE(bomb && honest);
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(inflate_debug_sections(*bomb));
    const auto copy = inflate_debug_sections(*honest);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_TRUE((*copy)->has_section(".debug_info"));
}

/// Each of these takes minutes to years if all that the headers claim is read.
class EndlessFile : public ::testing::Test {
  protected:
    void SetUp() override { begin_ = std::chrono::steady_clock::now(); }
    void TearDown() override {
        EXPECT_LT(std::chrono::steady_clock::now() - begin_, std::chrono::seconds(20));
    }
    ScratchDirectory scratch_;
    std::string path_ = scratch_ / "endless";
    SparseElf elf_{path_};

  private:
    std::chrono::steady_clock::time_point begin_;
};

TEST_F(EndlessFile, DynamicSections) {
    Elf64_Phdr interpreter{};
    interpreter.p_type = PT_INTERP;
    elf_.load(interpreter);
    elf_.repeat(65'000, over_the_hole(SHT_DYNAMIC));
    elf_.finish(kHole + kHoleBytes);
    EXPECT_TRUE(open_image(path_));
}

TEST_F(EndlessFile, Notes) {
    Elf64_Phdr notes{};
    notes.p_type = PT_NOTE;
    notes.p_offset = kHole;
    notes.p_filesz = kHoleBytes;
    for (int i = 0; i < 100; ++i) elf_.load(notes);
    elf_.repeat(65'000, over_the_hole(SHT_NOTE));
    elf_.finish(kHole + kHoleBytes);
    EXPECT_EQ(*read_build_id(path_), "");
}

TEST_F(EndlessFile, NamesThatDoNotEnd) {
    constexpr std::uint32_t kSymbols = 300'000;
    constexpr std::uint64_t kStrings = kHole + kSymbols * sizeof(Elf64_Sym);
    const std::string names(20'000'000, 'x');
    elf_.put(kStrings, names);
    Elf64_Sym symbol{};
    symbol.st_name = 1;
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    symbol.st_value = elf_.kText;
    symbol.st_size = 1;
    for (std::uint32_t i = 0; i < kSymbols; ++i) elf_.put_record(kHole + i * sizeof symbol, symbol);
    Elf64_Shdr strings = over_the_hole(SHT_STRTAB);
    strings.sh_offset = kStrings;
    strings.sh_size = names.size();
    Elf64_Shdr symbols = over_the_hole(SHT_SYMTAB);
    symbols.sh_size = kSymbols * sizeof symbol;
    symbols.sh_entsize = sizeof symbol;
    symbols.sh_link = elf_.section(".strtab", strings);
    elf_.section(".symtab", symbols);
    elf_.finish(kStrings + names.size());
    EXPECT_EQ(MappedImage(path_).at(elf_.kText).front().function, "");
}

/// A compressed section may claim any size; large honest ones do not come into our memory.
TEST(HostileFile, InflationIsBounded) {
    constexpr std::uint64_t kInflated = 60'000'000;
    const ScratchDirectory scratch;
    run("cd '" + scratch.path().string() + "' && cp '" SAMPLE_PIE "' plain && " + "head -c " +
        std::to_string(kInflated) +
        " /dev/zero > zeros && objcopy --update-section .debug_str=zeros plain && " +
        "objcopy --compress-debug-sections=zlib plain large");
    const auto extent = extent_of(SAMPLE_PIE, "main");
    MappedImage large(scratch / "large");
    EXPECT_GT(large.at(extent.begin).front().line, 0U) << "from DWARF";
    EXPECT_EQ(large.symbolizer().modules().at(1).source, "dwarf");

    auto bytes = read_bytes(scratch / "large");
    const Elf64_Chdr honest{ELFCOMPRESS_ZLIB, 0, kInflated, 1};
    const Elf64_Chdr bomb{ELFCOMPRESS_ZLIB, 0, std::uint64_t{1} << 40U, 1};
    const auto* header = reinterpret_cast<const std::uint8_t*>(&honest);
    const auto at = std::search(bytes.begin(), bytes.end(), header, header + sizeof(honest));
    ASSERT_NE(at, bytes.end());
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&bomb), sizeof(bomb), at);
    write_bytes(scratch / "bomb", bytes);
    MappedImage image(scratch / "bomb");
    EXPECT_EQ(image.at(extent.begin).front().function, "main") << "from .symtab";
    EXPECT_EQ(image.symbolizer().modules().at(1).source, "symtab");
    EXPECT_GE(image.symbolizer().counters().debug_files_failed, 1U);
}

}  // namespace
}  // namespace asrtrace::symbols
