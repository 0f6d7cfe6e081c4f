// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>
#include <search.h>
#include <unistd.h>

#include <algorithm>

#include "tests/unit/symbols_fixture.h"
#include "user/symbols/function_search.h"

namespace asrtrace::symbols {
namespace {

using testing::extent_of;
using testing::run;
using testing::ScratchDirectory;

std::vector<FunctionAddress> found(const std::string& path, const std::string& name) {
    auto result = find_function(path, name);
    EXPECT_TRUE(result.ok());
    return result.ok() ? *result : std::vector<FunctionAddress>{};
}

TEST(FunctionSearch, TakesMangledDemangledAndPlainNames) {
    for (const char* path : {SAMPLE_PIE, SAMPLE_FIXED, SAMPLE_COMPRESSED}) {
        const auto expected = extent_of(path, "_ZN6sample9outermostEi");
        for (const char* name :
             {"_ZN6sample9outermostEi", "sample::outermost(int)", "sample::outermost"}) {
            const auto functions = found(path, name);
            ASSERT_EQ(functions.size(), 1U) << name;
            EXPECT_EQ(functions[0].vaddr, expected.begin);
            EXPECT_EQ(functions[0].size_bytes, expected.bytes);
            EXPECT_EQ(functions[0].name, "sample::outermost(int)");
            EXPECT_FALSE(functions[0].indirect);
        }
    }
}

/// The bytes at the file offset are the bytes that objdump shows at the address.
TEST(FunctionSearch, GivesTheOffsetInTheFile) {
    for (const char* path : {SAMPLE_PIE, SAMPLE_FIXED}) {
        const auto functions = found(path, "plain_c_function");
        ASSERT_EQ(functions.size(), 1U);
        const auto bytes = testing::read_bytes(path);
        const std::string dump = run(
            "objdump -d --no-show-raw-insn --start-address=" + std::to_string(functions[0].vaddr) +
            " --stop-address=" + std::to_string(functions[0].vaddr + 4) + " '" + path + "'");
        ASSERT_LT(functions[0].file_offset, bytes.size());
        // push %rbp, or endbr64 in front of it
        const auto first = bytes[functions[0].file_offset];
        EXPECT_TRUE(first == 0x55 || first == 0xf3) << int{first} << dump;
    }
}

TEST(FunctionSearch, ReturnsEveryMatch) {
    EXPECT_EQ(found(SAMPLE_PIE, "sample::overloaded").size(), 2U);
    EXPECT_EQ(found(SAMPLE_PIE, "sample::overloaded( int )").size(), 1U);
    EXPECT_EQ(found(SAMPLE_PIE, "sample::twice<int>").size(), 1U);
    EXPECT_EQ(found(SAMPLE_PIE, "int sample::twice<int>(int)").size(), 1U);
    EXPECT_EQ(found(SAMPLE_PIE, "sample::Widget::operator()").size(), 1U);
    EXPECT_EQ(found(SAMPLE_PIE, "sample::Widget::Widget").size(), 1U);
    EXPECT_EQ(found(SAMPLE_PIE, "(anonymous namespace)::hidden_in_namespace").size(), 1U);
    EXPECT_TRUE(found(SAMPLE_PIE, "no_such_function").empty());
    EXPECT_TRUE(found(SAMPLE_PIE, "sample").empty());
}

TEST(FunctionSearch, LooksInExportedSymbolsAndMappedFiles) {
    const auto maps = read_maps(::getpid());
    for (const MapsEntry& entry : *maps) {
        if (!entry.executable || entry.path.find("libc.so") == std::string::npos) continue;
        const auto functions = find_function(::getpid(), entry, "lfind");
        ASSERT_TRUE(functions.ok());
        ASSERT_EQ(functions->size(), 1U);
        EXPECT_EQ(entry.begin + (functions->front().file_offset - entry.file_offset),
                  reinterpret_cast<std::uint64_t>(&::lfind));
        const auto indirect = find_function(::getpid(), entry, "memcpy");
        ASSERT_TRUE(indirect.ok() && !indirect->empty());
        EXPECT_TRUE(std::any_of(indirect->begin(), indirect->end(),
                                [](const FunctionAddress& f) { return f.indirect; }));
    }
}

TEST(FunctionSearch, SaysWhatIsWrongWithAFile) {
    const ScratchDirectory scratch;
    testing::write_bytes(scratch / "text", {'h', 'e', 'l', 'l', 'o'});
    testing::write_bytes(scratch / "empty", {});
    EXPECT_NE(find_function(scratch / "text", "f").error().message.find("text"), std::string::npos);
    EXPECT_FALSE(find_function(scratch / "empty", "f").ok());
    EXPECT_FALSE(find_function(scratch / "absent", "f").ok());
    EXPECT_FALSE(find_function("/dev/zero", "f").ok());
    EXPECT_FALSE(find_function(SAMPLE_PIE, "").ok());
    EXPECT_FALSE(read_build_id(scratch / "text").ok());
}

}  // namespace
}  // namespace asrtrace::symbols
