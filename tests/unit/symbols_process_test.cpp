// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Lookups in real address spaces: this process and children of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <search.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tests/unit/symbols_fixture.h"

namespace asrtrace::symbols {
namespace {

using testing::run;
using testing::ScratchDirectory;

std::uint64_t address_of(auto* function) {
    return reinterpret_cast<std::uint64_t>(function);
}

Symbolizer for_this_process() {
    Symbolizer symbolizer(::getpid());
    symbolizer.add_mappings(1, read_maps(::getpid()).value());
    return symbolizer;
}

TEST(SymbolProcess, NamesFunctionsOfLibraries) {
    Symbolizer symbolizer = for_this_process();
    const auto& frames = symbolizer.lookup(1, address_of(&::lfind), false);
    EXPECT_TRUE(frames.back().function.starts_with("lfind")) << frames.back().function;
    EXPECT_NE(frames.back().module.find("libc.so"), std::string::npos);
    EXPECT_FALSE(frames.back().inlined);
}

TEST(SymbolProcess, ReturnAddressesBelongToTheCallInFront) {
    Symbolizer symbolizer = for_this_process();
    const std::uint64_t entry = address_of(&::lfind);
    const auto before = symbolizer.lookup(1, entry, true);
    EXPECT_FALSE(before.back().function.starts_with("lfind("));
    const std::uint64_t offset = before.back().module_offset;
    EXPECT_EQ(symbolizer.lookup(1, entry, false).back().module_offset, offset);
}

TEST(SymbolProcess, TellsTheVdsoJitCodeAndNothingApart) {
    const std::size_t page = 4096;
    void* jit = ::mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(jit, MAP_FAILED);
    Symbolizer symbolizer = for_this_process();
    const auto at = reinterpret_cast<std::uint64_t>(jit) + 16;
    EXPECT_EQ(symbolizer.lookup(1, at, false).front().module, kJitModule);
    EXPECT_EQ(frame_name(symbolizer.lookup(1, at, false).front()).substr(0, 8), "[jit]+0x");
    EXPECT_EQ(symbolizer.lookup(1, 16, false).front().module, kUnknownModule);
    EXPECT_EQ(symbolizer.lookup(1, 0, true).front().module, kUnknownModule);
    EXPECT_EQ(symbolizer.counters().unmapped, 2U);
    std::vector<std::string> vdso_names;
    const auto maps = read_maps(::getpid());
    for (const MapsEntry& entry : *maps) {
        if (entry.path != kVdsoModule) continue;
        for (std::uint64_t pc = entry.begin; pc < entry.end; pc += 4) {
            const auto& frames = symbolizer.lookup(1, pc, false);
            EXPECT_EQ(frames.front().module, kVdsoModule);
            vdso_names.push_back(frames.front().function);
        }
    }
    EXPECT_NE(std::find_if(vdso_names.begin(), vdso_names.end(),
                           [](const auto& name) { return name.ends_with("clock_gettime"); }),
              vdso_names.end());
    ::munmap(jit, page);
}

/// Starts the program (it waits on a pipe), takes its mappings, then removes the file and ends it.
TEST(SymbolProcess, RemembersAProgramThatIsGoneFromDiskAndFromMemory) {
    const ScratchDirectory scratch;
    const std::string program = scratch / "waiting cat";
    run("cp /bin/cat '" + program + "'");
    std::array<int, 2> input{};
    ASSERT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], 0);
    std::string name = program;
    std::array<char*, 2> argv{name.data(), nullptr};
    pid_t pid = 0;
    ASSERT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    std::vector<MapsEntry> maps;
    for (int i = 0; i < 500; ++i) {  // until its libc is there
        maps = read_maps(pid).value();
        const bool ready = std::any_of(maps.begin(), maps.end(), [](const MapsEntry& m) {
            return m.executable && m.path.find("libc.so") != std::string::npos;
        });
        if (ready) break;
        ::usleep(10000);
    }
    std::filesystem::remove(program);
    run("cp /bin/true '" + program + "'");  // another file by the same name
    maps = read_maps(pid).value();
    Symbolizer symbolizer(pid);
    symbolizer.add_mappings(1, maps);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ::close(input[0]);
    ::close(input[1]);
    const bool privileged = ::geteuid() == 0;  // map_files asks for CAP_CHECKPOINT_RESTORE
    int checked = 0;
    for (const MapsEntry& entry : maps) {
        if (!entry.executable || !entry.is_file()) continue;
        const auto& frames = symbolizer.lookup(1, entry.begin + 64, false);
        EXPECT_EQ(frames.front().module, entry.path);
        ++checked;
    }
    EXPECT_GE(checked, 3);
    EXPECT_EQ(symbolizer.counters().modules_failed, privileged ? 0U : 1U);
}

}  // namespace
}  // namespace asrtrace::symbols
