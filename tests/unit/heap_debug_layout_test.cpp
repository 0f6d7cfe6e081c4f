// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What glibc's debug file says, against what the search finds. Needs the libc's debug file
// (libc6-dbg), as the tests of the worker's heap do.
#include "user/heap/debug_layout.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "user/heap/finder.h"
#include "user/heap/process_memory.h"

namespace asrtrace::heap {
namespace {

/// cat, which has used malloc and waits for input.
class DebugFile : public testing::Test {
  protected:
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        pid_ = ::fork();
        ASSERT_GE(pid_, 0);
        if (pid_ == 0) {
            ::dup2(ends[0], 0);
            ::close(ends[1]);
            ::execl("/bin/cat", "cat", nullptr);
            ::_exit(127);
        }
        ::close(ends[0]);
        input_ = ends[1];
        for (int tries = 0; tries < 200; ++tries) {
            maps_ = read_maps(pid_).value();
            memory_ = std::move(ProcessMemory::open(pid_).value());
            const bool started = std::any_of(maps_.begin(), maps_.end(), [](const auto& entry) {
                return entry.path.ends_with("/cat");
            });
            if (started) searched_ = find_malloc(*memory_, maps_);
            if (searched_.ok()) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        FAIL() << searched_.error().message;
    }
    void TearDown() override {
        ::close(input_);
        ::waitpid(pid_, nullptr, 0);
    }

    pid_t pid_ = 0;
    int input_ = -1;
    std::vector<MapsEntry> maps_;
    std::unique_ptr<ProcessMemory> memory_;
    Result<MallocLocation> searched_ = Error{"not looked for"};
};

TEST_F(DebugFile, SaysWhatTheSearchFinds) {
    const auto debug = debug_layout_of(pid_, maps_);
    ASSERT_TRUE(debug) << "no debug file of libc: install libc6-dbg";
    EXPECT_EQ(debug->main_arena, searched_->main_arena);
    EXPECT_EQ(debug->parameters, searched_->parameters);
    EXPECT_TRUE(same_places(*debug->layouts.front(), *searched_->layout));
    EXPECT_STREQ(debug->layouts.front()->name, searched_->layout->name);
    const auto taken = find_malloc_at(*memory_, maps_, *debug);
    ASSERT_TRUE(taken.ok()) << taken.error().message;
    EXPECT_TRUE(read_arenas(*memory_, *taken).ok());
    EXPECT_TRUE(read_parameters(*memory_, *taken).ok());
}

TEST_F(DebugFile, OfAnotherBuildIsNotBelieved) {
    const auto debug = debug_layout_of(pid_, maps_);
    ASSERT_TRUE(debug);
    for (const std::uint64_t place : {debug->main_arena + 64, std::uint64_t{0x1000}}) {
        auto wrong = *debug;
        wrong.main_arena = place;
        EXPECT_FALSE(find_malloc_at(*memory_, maps_, wrong).ok());
        wrong = *debug;
        wrong.parameters = place;
        EXPECT_FALSE(find_malloc_at(*memory_, maps_, wrong).ok());
    }
}

TEST_F(DebugFile, DamagedIsAnErrorOrHarmless) {
    const auto path = find_debug_file(pid_, searched_->module);
    ASSERT_TRUE(path);
    std::ifstream in(*path, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    const auto file = std::filesystem::temp_directory_path() /
                      ("asrtrace-debug-layout-" + std::to_string(::getpid()));
    std::mt19937_64 random(7);
    unsigned refused = 0;
    for (int round = 0; round < 40; ++round) {
        std::string damaged = whole;
        if (round % 4 == 0) damaged.resize(random() % damaged.size());
        for (int flips = 0; flips < 200 && !damaged.empty(); ++flips)
            damaged[random() % damaged.size()] ^= static_cast<char>(1U << (random() % 8));
        std::ofstream(file, std::ios::binary) << damaged;
        const auto layout = read_debug_layout(file);
        refused += layout.ok() ? 0 : 1;
        if (layout.ok()) {
            const auto there = find_malloc_at(*memory_, maps_, *layout);
            EXPECT_TRUE(!there.ok() || there->main_arena == layout->main_arena);
        }
    }
    EXPECT_GE(refused, 10U);  // those cut short at least
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace asrtrace::heap
