// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A cache entry is believed only if it is ours, whole, and made from the same call frame
// information.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "user/unwind/cache.h"

namespace asrtrace::unwind {
namespace {

constexpr const char* kBuildId = "00112233445566778899aabbccddeeff00112233";

CfiSource source_of(std::uint8_t fill) {
    CfiSource source;
    source.machine = 62;
    source.text_begin = 0x1000;
    source.text_bytes = 0x1000;
    source.eh_frame = {0x5000, std::vector<std::uint8_t>(100, fill), true};
    return source;
}

UnwindTable table_of() {
    UnwindTable table;
    table.text_begin = 0x1000;
    table.text_bytes = 0x1000;
    table.index.assign(16, 1);
    table.rows = {{0, UNWIND_CFA_SP, 0, 1}};
    return table;
}

class Cache : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "unwind-cache-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern + "/a/b";
        entry_ = directory_ + "/" + kBuildId + ".rows";
        auto cache = TableCache::open(directory_);
        ASSERT_TRUE(cache) << cache.error().message;
        cache_.emplace(std::move(*cache));
        ASSERT_TRUE(cache_->store(kBuildId, source_of(1), table_of()));
        ASSERT_TRUE(loads());
    }
    void TearDown() override {
        std::filesystem::remove_all(std::filesystem::path(directory_).parent_path().parent_path());
    }

    bool loads() const { return cache_->load(kBuildId, source_of(1)).has_value(); }

    void flip_byte(std::int64_t offset) {
        std::fstream file(entry_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(offset);
        const char byte = static_cast<char>(file.get() ^ 1);
        file.seekp(offset);
        file.put(byte);
    }

    std::string directory_;
    std::string entry_;
    std::optional<TableCache> cache_;
};

TEST_F(Cache, GivesBackWhatWasStored) {
    const auto table = cache_->load(kBuildId, source_of(1));
    ASSERT_TRUE(table);
    EXPECT_EQ(table->index, table_of().index);
    ASSERT_EQ(table->rows.size(), 1U);
    EXPECT_EQ(table->rows[0].cfa_offset, 1);
}

TEST_F(Cache, IsPrivate) {
    struct stat status {};
    ASSERT_EQ(::stat(entry_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(Cache, EveryDamagedByteIsNoticed) {
    const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(entry_));
    for (std::int64_t at = 0; at < bytes; ++at) {
        flip_byte(at);
        EXPECT_FALSE(loads()) << at;
        flip_byte(at);
    }
    EXPECT_TRUE(loads());
}

TEST_F(Cache, EveryTruncationIsNoticed) {
    auto bytes = std::filesystem::file_size(entry_);
    while (bytes-- > 0) {
        std::filesystem::resize_file(entry_, bytes);
        EXPECT_FALSE(loads()) << bytes;
    }
}

TEST_F(Cache, IgnoresEntriesThatOthersMayWrite) {
    ASSERT_EQ(::chmod(entry_.c_str(), 0620), 0);
    EXPECT_FALSE(loads());
    ASSERT_EQ(::chmod(entry_.c_str(), 0600), 0);
    EXPECT_TRUE(loads());
}

TEST_F(Cache, IgnoresEntriesOfOthers) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(::chown(entry_.c_str(), 12345, 12345), 0);
    EXPECT_FALSE(loads());
}

TEST_F(Cache, FollowsNoLinks) {
    const std::string other = directory_ + "/other";
    ASSERT_EQ(::rename(entry_.c_str(), other.c_str()), 0);
    ASSERT_EQ(::symlink(other.c_str(), entry_.c_str()), 0);
    EXPECT_FALSE(loads());
}

TEST_F(Cache, SameBuildIdWithOtherFramesIsAnotherFile) {
    EXPECT_FALSE(cache_->load(kBuildId, source_of(2)));
}

TEST_F(Cache, WritesADamagedEntryAnew) {
    flip_byte(80);
    ASSERT_FALSE(loads());
    ASSERT_TRUE(cache_->store(kBuildId, source_of(1), table_of()));
    EXPECT_TRUE(loads());
}

TEST_F(Cache, TakesNoNameThatLeavesTheDirectory) {
    EXPECT_FALSE(cache_->store("../../../../etc/passwd", source_of(1), table_of()));
    EXPECT_FALSE(cache_->store("", source_of(1), table_of()));
}

TEST_F(Cache, RefusesADirectoryThatIsOpenToOthers) {
    ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
    const auto cache = TableCache::open(directory_);
    ASSERT_FALSE(cache);
    EXPECT_NE(cache.error().message.find(directory_), std::string::npos);
}

TEST_F(Cache, PrunesTheOldest) {
    const std::string newer = std::string("ff") + kBuildId;
    ASSERT_TRUE(cache_->store(newer, source_of(1), table_of()));
    const timespec times[2] = {{1, 0}, {1, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, entry_.c_str(), times, 0), 0);
    cache_->prune(std::filesystem::file_size(entry_));
    EXPECT_FALSE(loads());
    EXPECT_TRUE(cache_->load(newer, source_of(1)));
}

}  // namespace
}  // namespace asrtrace::unwind
