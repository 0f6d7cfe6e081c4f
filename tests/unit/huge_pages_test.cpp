// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace asrtrace::capture {
namespace {

using Files = std::map<std::string, std::string>;

/// What a directory like the kernel's, with these files, allows.
HugePages allowed_by(const Files& files) {
    char path[] = "/tmp/huge_pages.XXXXXX";
    const std::string root = ::mkdtemp(path);
    for (const auto& [name, text] : files) {
        const std::filesystem::path file = std::filesystem::path(root) / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    }
    const HugePages allowed = huge_pages_allowed(root);
    std::filesystem::remove_all(root);
    return allowed;
}

constexpr const char* kAlways = "[always] madvise never\n";
constexpr const char* kAdvised = "always [madvise] never\n";
constexpr const char* kNever = "always madvise [never]\n";
constexpr const char* kOwnNever = "always inherit madvise [never]\n";
constexpr const char* kInherit = "always [inherit] madvise never\n";
constexpr const char* kOwnAdvised = "always inherit [madvise] never\n";

TEST(HugePages, OneSettingForAll) {
    EXPECT_EQ(allowed_by(Files{{"enabled", kAlways}}), HugePages::kAlways);
    EXPECT_EQ(allowed_by(Files{{"enabled", kAdvised}}), HugePages::kAdvised);
    EXPECT_EQ(allowed_by(Files{{"enabled", kNever}}), HugePages::kNever);
    EXPECT_EQ(allowed_by(Files{}), HugePages::kNever);
    EXPECT_EQ(huge_pages_allowed("/nowhere"), HugePages::kNever);
}

TEST(HugePages, EachSizeHasItsOwn) {
    const std::string small = "hugepages-64kB/enabled", large = "hugepages-2048kB/enabled";
    EXPECT_EQ(allowed_by(Files{{"enabled", kAlways}, {small, kOwnNever}, {large, kInherit}}),
              HugePages::kAlways);
    EXPECT_EQ(allowed_by(Files{{"enabled", kAlways}, {small, kOwnNever}, {large, kOwnNever}}),
              HugePages::kNever);
    EXPECT_EQ(allowed_by(Files{{"enabled", kNever}, {small, kOwnAdvised}, {large, kInherit}}),
              HugePages::kAdvised);
}

TEST(HugePages, AMappingSaysWhatWasAdvised) {
    const auto advises = [](const std::string& flags, int times) {
        std::stringstream smaps;
        for (int i = 0; i < times; ++i)
            smaps << "7f0000000000-7f0000001000 rw-p 00000000 00:00 0   hg.so\n"
                     "Size:   4 kB\nVmFlags: "
                  << flags << "\n";
        return advises_huge_pages(smaps);
    };
    EXPECT_FALSE(advises("rd wr mr mw me ac sd", 100));
    EXPECT_TRUE(advises("rd wr mr mw me ac hg sd", 1));
    EXPECT_FALSE(advises("rd wr mr mw me ac nh sd", 1));
    EXPECT_TRUE(advises("rd wr mr mw me ac sd", 60'000));
}

}  // namespace
}  // namespace asrtrace::capture
