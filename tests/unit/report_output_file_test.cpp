// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/output_file.h"

#include <sys/stat.h>

#include "tests/unit/trace_fixture.h"

namespace asrtrace {
namespace {

using trace::Directory;
using trace::read_file;
using trace::write_file;

TEST(OutputFile, IsPrivateAndReplacesInOneStep) {
    const Directory directory;
    const std::string path = directory / "a.json";
    ASSERT_TRUE(write_output_file(path, "one"));
    ASSERT_TRUE(write_output_file(path, "two"));
    EXPECT_EQ(read_file(path), "two");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()))
        ++files;
    EXPECT_EQ(files, 1U) << "nothing is left beside it";
    EXPECT_TRUE(write_output_file("/dev/null", "gone"));
}

TEST(OutputFile, FollowsNoLinkAndNeedsAFile) {
    const Directory directory;
    write_file(directory / "victim", "precious");
    ASSERT_EQ(::symlink((directory / "victim").c_str(), (directory / "link").c_str()), 0);
    EXPECT_FALSE(write_output_file(directory / "link", "x"));
    EXPECT_EQ(read_file(directory / "victim"), "precious");
    EXPECT_FALSE(write_output_file(directory / "", "x"));
    EXPECT_FALSE(write_output_file(directory / "no/such", "x"));
    EXPECT_FALSE(write_output_file("", "x"));
    EXPECT_FALSE(create_exclusively(directory / "victim"));
}

TEST(OutputFile, IsOpenedAnewAndNeverThroughALink) {
    const Directory directory;
    const std::string path = directory / "a.csv";
    write_file(path, "old and longer");
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    {
        const auto file = open_output_file(path);
        ASSERT_TRUE(file) << file.error().message;
        ASSERT_TRUE(write_all(file->get(), "new", path));
    }
    EXPECT_EQ(read_file(path), "new");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    ASSERT_EQ(::symlink(path.c_str(), (directory / "link").c_str()), 0);
    const auto refused = open_output_file(directory / "link");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("is a symbolic link"), std::string::npos);
    EXPECT_EQ(read_file(path), "new");
    EXPECT_FALSE(open_output_file(directory / ""));
    EXPECT_TRUE(open_output_file("/dev/null"));
}

/// A trace is one, and may be all that is left of a night.
TEST(OutputFile, ADatabaseIsNotWrittenOver) {
    const Directory directory;
    const std::string path = directory / "night.asrtrace";
    const std::string trace = std::string("SQLite format 3", 16) + "and so on";
    write_file(path, trace);
    for (const Status& refused : {write_output_file(path, "x"), check_output_file(path)}) {
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().message.find("name another file"), std::string::npos);
    }
    EXPECT_FALSE(open_output_file(path));
    EXPECT_EQ(read_file(path), trace);
}

TEST(OutputFile, IsLookedAtBeforeALongRun) {
    const Directory directory;
    write_file(directory / "there", "kept");
    EXPECT_TRUE(check_output_file(directory / "there"));
    EXPECT_TRUE(check_output_file(directory / "new"));
    EXPECT_TRUE(check_output_file("/dev/null"));
    EXPECT_FALSE(check_output_file(directory / "no/such"));
    EXPECT_FALSE(check_output_file(directory / ""));
    EXPECT_FALSE(check_output_file("/proc/new")) << "nobody may make files there, and root neither";
    EXPECT_EQ(read_file(directory / "there"), "kept");
}

}  // namespace
}  // namespace asrtrace
