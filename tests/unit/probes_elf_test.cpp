// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Modules: Debian's libc, static executables, and files that lie.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/unit/probes_child.h"
#include "tests/unit/sparse_elf.h"
#include "user/base/maps.h"
#include "user/capture/allocator_probes.h"
#include "user/capture/elf_module.h"
#include "user/capture/usdt.h"

namespace asrtrace::capture {
namespace {

std::vector<std::uint8_t> file_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string libc_path() {
    const auto maps = read_maps(::getpid());
    for (const MapsEntry& entry : *maps)
        if (entry.path.find("/libc.so") != std::string::npos) return entry.path;
    return {};
}

/// Everything that reads the file, for hostile ones; what comes out does not matter.
void exercise(const std::vector<std::uint8_t>& bytes) {
    const auto module = ElfModule::from_bytes(bytes, "hostile");
    if (!module) return;
    AllocatorProbes probes;
    add_module(*module, "/hostile", nullptr, true, {}, probes);
    read_usdt(*module);
    module->glibc_version();
    for (const AllocatorProbe& probe : probes.probes)
        EXPECT_LT(probe.placement.file_offset, bytes.size());
}

TEST(ElfModule, ReadsTheLibc) {
    const auto module = ElfModule::open(libc_path());
    ASSERT_TRUE(module.ok());
    EXPECT_EQ(module->soname(), "libc.so.6");
    EXPECT_FALSE(module->is_static());
    EXPECT_EQ(module->build_id().size(), 40U);
    EXPECT_EQ(module->glibc_version(),
              std::to_string(__GLIBC__) + "." + std::to_string(__GLIBC_MINOR__));
    const auto malloc_symbol = module->find_function("malloc");
    ASSERT_TRUE(malloc_symbol.has_value());
    EXPECT_GT(malloc_symbol->size_bytes, 0U);
    EXPECT_TRUE(module->find_segment(malloc_symbol->vaddr)->executable);
    EXPECT_FALSE(module->find_function("no_such_function_anywhere").has_value());
    // gettimeofday and the string functions are resolved at run time: no place for a probe.
    const std::array<std::string_view, 1> memcpy_name{"memcpy"};
    const auto found = module->find_symbols(memcpy_name);
    ASSERT_FALSE(found.empty());
    EXPECT_TRUE(found[0].ifunc || found[0].function);
}

TEST(ElfModule, SegmentsOverEachOtherAreNotSearchedForEver) {
    const std::string path = testing::TempDir() + "overlapping." + std::to_string(::getpid());
    constexpr std::uint64_t kBytes = std::uint64_t{256} << 20U;
    SparseElf elf(path);
    for (int i = 0; i < 4000; ++i) {
        Elf64_Phdr hole{};
        hole.p_type = PT_LOAD;
        hole.p_flags = PF_R;
        hole.p_offset = 0x100000;
        hole.p_filesz = kBytes;
        elf.load(hole);
    }
    elf.finish(0x100000 + kBytes);
    const auto module = ElfModule::open(path);
    ASSERT_TRUE(module.ok()) << module.error().message;
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(module->find_text("GNU C Library", 14));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    std::filesystem::remove(path);
}

TEST(ElfModule, SymbolsWithoutSectionHeaders) {
    // One with DT_HASH, one with DT_GNU_HASH only.
    for (const std::string& path : {libc_path(), built("libprobes_jemalloc.so")}) {
        auto bytes = file_bytes(path);
        const auto before = ElfModule::from_bytes(bytes, path)->find_function("malloc");
        Elf64_Ehdr header;
        std::memcpy(&header, bytes.data(), sizeof(header));
        header.e_shoff = header.e_shnum = header.e_shstrndx = 0;
        std::memcpy(bytes.data(), &header, sizeof(header));
        const auto module = ElfModule::from_bytes(bytes, path);
        EXPECT_TRUE(module->sections().empty());
        for (const char* name : {"malloc", "free", "calloc"})
            EXPECT_TRUE(module->find_function(name).has_value()) << path << " " << name;
        const auto after = module->find_function("malloc");
        ASSERT_TRUE(before && after) << path;
        EXPECT_EQ(before->vaddr, after->vaddr);
        EXPECT_EQ(before->size_bytes, after->size_bytes);
    }
}

TEST(ElfModule, TellsStaticExecutables) {
    EXPECT_FALSE(ElfModule::open(built("probes_plain"))->is_static());
    EXPECT_FALSE(ElfModule::open(built("probes_plain"))->interpreter().empty());
    EXPECT_TRUE(ElfModule::open(built("probes_static"))->is_static());
    EXPECT_TRUE(ElfModule::open(built("probes_static_pie"))->is_static());
    EXPECT_TRUE(ElfModule::open(built("probes_static_stripped"))->is_static());
}

TEST(ElfModule, RefusesWhatIsNoModule) {
    for (const char* path : {"/dev/zero", "/", "/nonexistent", "/etc/passwd", "/proc/self/maps"}) {
        const auto module = ElfModule::open(path);
        ASSERT_FALSE(module.ok()) << path;
        EXPECT_NE(module.error().message.find(path), std::string::npos);
    }
    const std::string fifo = testing::TempDir() + "/probes_fifo";
    ::unlink(fifo.c_str());
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_FALSE(ElfModule::open(fifo).ok());
    ::unlink(fifo.c_str());
    EXPECT_FALSE(ElfModule::from_bytes({}, "empty").ok());
}

TEST(ElfModule, SurvivesTruncation) {
    const auto bytes = file_bytes(built("probes_usdt_pie"));
    ASSERT_GT(bytes.size(), 4096U);
    for (std::size_t length = 0; length < bytes.size(); length += length < 1024 ? 1 : 37)
        exercise({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)});
}

TEST(ElfModule, SurvivesFlippedBits) {
    const auto original = file_bytes(built("probes_usdt_pie"));
    std::mt19937 random(20240607);
    const auto below = [&](std::size_t n) {
        return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
    };
    Elf64_Ehdr header;
    std::memcpy(&header, original.data(), sizeof(header));
    for (int round = 0; round < 3000; ++round) {
        auto bytes = original;
        for (std::size_t flips = 1 + below(8); flips > 0; --flips) {
            // Half of them where it hurts: headers, then section headers.
            const std::size_t where = below(4);
            const std::size_t at = where == 0 ? below(1024)
                                   : where == 1
                                       ? header.e_shoff + below(bytes.size() - header.e_shoff)
                                       : below(bytes.size());
            bytes[at] ^= static_cast<std::uint8_t>(1U << below(8));
        }
        exercise(bytes);
    }
}

TEST(ElfModule, SurvivesHugeFigures) {
    const auto original = file_bytes(built("probes_usdt_pie"));
    for (const std::uint64_t value :
         {std::uint64_t{0}, ~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 40}) {
        for (std::size_t at = 0; at + 8 <= 1024; at += 8) {
            auto bytes = original;
            std::memcpy(&bytes[at], &value, sizeof(value));
            exercise(bytes);
        }
    }
}

}  // namespace
}  // namespace asrtrace::capture
