// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Files that a target may map to harm the tracer: cut off, with flipped bytes, shortened while we
// read. The answers do not matter; coming back does.
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "tests/unit/symbols_fixture.h"
#include "user/symbols/function_search.h"

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

TEST(HostileFile, OneBadFileDoesNotDisturbTheRest) {
    const ScratchDirectory scratch;
    write_bytes(scratch / "bad", std::vector<std::uint8_t>(5000, 0x7f));
    MappedImage bad(scratch / "bad");
    EXPECT_EQ(frame_name(bad.at_offset(0x10).front()), "bad+0x10");
    EXPECT_EQ(bad.symbolizer().counters().modules_failed, 1U);
    ASSERT_EQ(bad.symbolizer().counters().errors.size(), 1U);
    EXPECT_NE(bad.symbolizer().counters().errors[0].find("/bad: "), std::string::npos);
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
