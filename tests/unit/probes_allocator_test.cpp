// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Discovery in live processes: which libc, which places, what bypasses them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/unit/probes_child.h"
#include "user/capture/allocator_probes.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

using enum AllocatorFunction;

AllocatorProbes discover(const WaitingChild& child) {
    EXPECT_GT(child.pid(), 0);
    auto probes = discover_allocator(child.pid());
    EXPECT_TRUE(probes.ok()) << (probes.ok() ? "" : probes.error().message);
    return probes.ok() ? *probes : AllocatorProbes{};
}

std::map<AllocatorFunction, AllocatorProbe> by_function(const AllocatorProbes& probes) {
    std::map<AllocatorFunction, AllocatorProbe> map;
    for (const AllocatorProbe& probe : probes.probes)
        EXPECT_TRUE(map.emplace(probe.function, probe).second) << function_name(probe.function);
    return map;
}

TEST(Allocator, DebiansLibc) {
    const WaitingChild child(built("probes_plain"));
    const AllocatorProbes probes = discover(child);
    EXPECT_EQ(probes.allocator, "glibc");
    EXPECT_TRUE(probes.bypasses.empty());
    ASSERT_EQ(probes.libraries.size(), 1U);
    const ModuleFile& file = *probes.libraries[0].file;
    EXPECT_EQ(::access(file.path().c_str(), R_OK), 0) << file.name();
    const auto functions = by_function(probes);
    for (const AllocatorFunction function :
         {kMalloc, kCalloc, kRealloc, kMemalign, kPosixMemalign, kValloc, kPvalloc, kFree}) {
        ASSERT_TRUE(functions.contains(function)) << function_name(function);
        const AllocatorProbe& probe = functions.at(function);
        EXPECT_EQ(probe.placement.file_offset, probe.symbol_file_offset + probe.placement.delta);
        EXPECT_EQ(probe.wants_return, function != kFree);
        EXPECT_TRUE(!probe.wants_return || probe.placement.stack_bytes == 0);
    }
    if (probes.libraries[0].version != "2.36")
        GTEST_SKIP() << "the places below are glibc 2.36's, here is "
                     << probes.libraries[0].version;
    const std::map<AllocatorFunction, std::uint32_t> expected{
        {kMalloc, 0},        {kCalloc, 0}, {kRealloc, 0}, {kMemalign, 7},
        {kPosixMemalign, 7}, {kValloc, 7}, {kPvalloc, 7}, {kFree, 9}};
    EXPECT_EQ(functions.size(), expected.size());
    for (const auto& [function, delta] : expected) {
        EXPECT_EQ(functions.at(function).placement.delta, delta) << function_name(function);
        EXPECT_TRUE(functions.at(function).placement.emulated) << function_name(function);
    }
}

TEST(Allocator, StaticExecutables) {
    for (const char* program : {"probes_static", "probes_static_pie"}) {
        const WaitingChild child(built(program));
        const AllocatorProbes probes = discover(child);
        EXPECT_EQ(probes.allocator, "glibc");
        ASSERT_EQ(probes.libraries.size(), 1U) << program;
        EXPECT_TRUE(probes.libraries[0].static_executable);
        const auto functions = by_function(probes);
        for (const AllocatorFunction function :
             {kMalloc, kCalloc, kRealloc, kPosixMemalign, kFree}) {
            ASSERT_TRUE(functions.contains(function)) << function_name(function);
            EXPECT_TRUE(functions.at(function).placement.emulated) << function_name(function);
        }
    }
}

TEST(Allocator, StrippedStaticExecutableIsNamed) {
    const WaitingChild child(built("probes_static_stripped"));
    const AllocatorProbes probes = discover(child);
    EXPECT_TRUE(probes.probes.empty());
    EXPECT_EQ(probes.allocator, "static libc");
    ASSERT_EQ(probes.bypasses.size(), 1U);
    EXPECT_NE(probes.bypasses[0].explanation.find("symbol table"), std::string::npos);
}

TEST(Allocator, ReplacementsAreNamed) {
    const std::map<std::string, std::string> expected{{"jemalloc", "jemalloc"},
                                                      {"tcmalloc", "tcmalloc"},
                                                      {"mimalloc", "mimalloc"},
                                                      {"wrapper", "libprobes_wrapper.so"}};
    for (const auto& [standin, name] : expected) {
        const std::string library = built("libprobes_" + standin + ".so");
        const WaitingChild child(built("probes_plain"), {library});
        const AllocatorProbes probes = discover(child);
        EXPECT_EQ(probes.allocator, name);
        ASSERT_EQ(probes.bypasses.size(), 1U) << standin;
        EXPECT_EQ(probes.bypasses[0].allocator, name);
        EXPECT_EQ(probes.bypasses[0].module, library);
        EXPECT_TRUE(probes.bypasses[0].replaces_malloc);
        EXPECT_EQ(probes.libraries.size(), 1U);  // libc stays probed
    }
}

TEST(Allocator, PrivateAllocatorIsAPartialBypass) {
    const WaitingChild child(built("probes_plain"), {built("libprobes_private.so")});
    const AllocatorProbes probes = discover(child);
    EXPECT_EQ(probes.allocator, "glibc");
    ASSERT_EQ(probes.bypasses.size(), 1U);
    EXPECT_EQ(probes.bypasses[0].allocator, "jemalloc");
    EXPECT_FALSE(probes.bypasses[0].replaces_malloc);
}

TEST(Allocator, SecondLibcAndMusl) {
    const WaitingChild child(built("probes_plain"), {built("libprobes_musl.so")});
    const AllocatorProbes probes = discover(child);
    ASSERT_EQ(probes.libraries.size(), 2U);
    const bool musl_first = probes.libraries[0].kind == AllocatorKind::kMusl;
    EXPECT_EQ(probes.libraries[musl_first ? 0 : 1].kind, AllocatorKind::kMusl);
    EXPECT_EQ(probes.libraries[musl_first ? 1 : 0].kind, AllocatorKind::kGlibc);
    std::size_t mallocs = 0;
    for (const AllocatorProbe& probe : probes.probes) mallocs += probe.function == kMalloc;
    EXPECT_EQ(mallocs, 2U);
}

TEST(Allocator, DeletedExecutableStaysReachable) {
    const std::string copy = testing::TempDir() + "/probes_deleted";
    std::filesystem::copy_file(built("probes_static"), copy,
                               std::filesystem::copy_options::overwrite_existing);
    const WaitingChild child(copy);
    ASSERT_GT(child.pid(), 0);
    // Somebody else's file under the old name must not be taken for it.
    std::filesystem::remove(copy);
    std::filesystem::copy_file("/bin/true", copy);
    const auto modules = find_target_modules(child.pid());
    ASSERT_TRUE(modules.ok());
    ASSERT_EQ(modules->modules.size(), 1U);
    const TargetModule& main = modules->modules[0];
    EXPECT_TRUE(main.deleted && main.main);
    if (::access(main.open_path.c_str(), R_OK) != 0) GTEST_SKIP() << "map_files needs a capability";
    EXPECT_NE(main.open_path.find("/map_files/"), std::string::npos);
    EXPECT_EQ(by_function(discover(child)).count(kMalloc), 1U);
    std::filesystem::remove(copy);
}

/// A file of `bytes` under a name of its own.
class ScratchFile {
  public:
    explicit ScratchFile(const std::string& name, const std::string& bytes = "before")
        : path(testing::TempDir() + "/" + std::to_string(::getpid()) + name) {
        std::ofstream(path) << bytes;
    }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    ~ScratchFile() { std::filesystem::remove(path); }

    const std::string path;
};

std::string content(const std::string& path) {
    const auto text = read_text_file(path);
    return text.ok() ? *text : text.error().message;
}

TEST(ModuleFile, IsTheSameWhateverItsNameLeadsTo) {
    const ScratchFile before("_module");
    const auto file = ModuleFile::open(before.path);
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_FALSE((*file)->has_lost_its_name());
    const ScratchFile after("_upgrade", "after");
    std::filesystem::rename(after.path, before.path);
    EXPECT_EQ(content(before.path), "after");
    EXPECT_EQ(content((*file)->path()), "before");
    EXPECT_TRUE((*file)->check_unchanged().ok());
    EXPECT_TRUE((*file)->has_lost_its_name());
    std::filesystem::remove(before.path);
    std::filesystem::create_symlink("/bin/true", before.path);
    EXPECT_EQ(content((*file)->path()), "before");
}

TEST(ModuleFile, WhatWasWrittenToIsRefused) {
    for (const char* const bytes : {"longer", "l0nger", "short"}) {
        const ScratchFile scratch("_module", "longer");
        const auto file = ModuleFile::open(scratch.path);
        ASSERT_TRUE(file.ok()) << file.error().message;
        // The clock of files stands still for some milliseconds.
        std::filesystem::last_write_time(
            scratch.path, std::filesystem::last_write_time(scratch.path) + std::chrono::seconds(1));
        std::ofstream(scratch.path, std::ios::in | std::ios::ate) << bytes;
        const Status unchanged = (*file)->check_unchanged();
        ASSERT_FALSE(unchanged.ok()) << bytes;
        EXPECT_NE(unchanged.error().message.find("written to"), std::string::npos);
        EXPECT_FALSE((*file)->has_lost_its_name());
    }
}

TEST(ModuleFile, OnlyRegularFiles) {
    EXPECT_FALSE(ModuleFile::open("/").ok());
    EXPECT_FALSE(ModuleFile::open("/dev/zero").ok());
    EXPECT_FALSE(ModuleFile::open("/no/such/file").ok());
}

TEST(Allocator, ReplacedBetweenTheLookAndTheOpen) {
    const std::string copy = testing::TempDir() + "/probes_replaced";
    std::filesystem::copy_file(built("probes_static"), copy,
                               std::filesystem::copy_options::overwrite_existing);
    const WaitingChild child(copy);
    const auto modules = find_target_modules(child.pid());
    ASSERT_TRUE(modules.ok());
    ASSERT_EQ(modules->modules.size(), 1U);
    std::filesystem::remove(copy);
    std::filesystem::create_symlink("/bin/true", copy);
    const auto file = modules->modules[0].open();
    std::filesystem::remove(copy);
    if (::access(modules->modules[0].mapped_path.c_str(), R_OK) != 0) {
        EXPECT_FALSE(file.ok()) << "map_files needs a capability";
        return;
    }
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(std::filesystem::file_size((*file)->path()),
              std::filesystem::file_size(built("probes_static")));
}

TEST(Allocator, NoSuchProcess) {
    EXPECT_FALSE(discover_allocator(0x3fffffff).ok());
    const auto name = read_text_file("/proc/2/comm");
    if (!name.ok() || *name != "kthreadd\n") GTEST_SKIP() << "no kernel threads in sight";
    EXPECT_FALSE(discover_allocator(2).ok());
}

TEST(TargetModules, PathEscapes) {
    EXPECT_EQ(unescape_maps_path("/a\\012b"), "/a\nb");
    EXPECT_EQ(unescape_maps_path("/a\\01"), "/a\\01");
    EXPECT_EQ(unescape_maps_path("/a\\x12\\999\\"), "/a\\x12\\999\\");
}

}  // namespace
}  // namespace asrtrace::capture
