// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The sample program, built and stripped in every way that symbols can come from.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/symbols_fixture.h"
#include "user/symbols/demangle.h"
#include "user/symbols/function_search.h"

namespace asrtrace::symbols {
namespace {

using testing::Extent;
using testing::extent_of;
using testing::MappedImage;
using testing::run;
using testing::ScratchDirectory;

constexpr const char* kOutermost = "_ZN6sample9outermostEi";

/// The frames of the first address in sample::outermost that has three of them.
std::vector<SourceFrame> deepest_in_outermost(MappedImage& image, const Extent& extent) {
    std::vector<SourceFrame> best;
    for (std::uint64_t at = extent.begin; at < extent.begin + extent.bytes; ++at) {
        auto frames = image.at(at);
        if (frames.size() > best.size()) best = frames;
    }
    return best;
}

void expect_inline_chain(MappedImage& image, const Extent& extent) {
    const auto frames = deepest_in_outermost(image, extent);
    ASSERT_EQ(frames.size(), 3U);
    EXPECT_EQ(frames[0].function, "sample::innermost_inline(int)");
    EXPECT_EQ(frames[1].function, "sample::middle_inline(int)");
    EXPECT_EQ(frames[2].function, "sample::outermost(int)");
    EXPECT_TRUE(frames[0].inlined && frames[1].inlined && !frames[2].inlined);
    for (const SourceFrame& frame : frames) {
        EXPECT_TRUE(frame.file.ends_with("symbols_sample.cpp")) << frame.file;
    }
    EXPECT_GT(frames[1].line, frames[0].line) << "calls further down in the source";
    EXPECT_GT(frames[2].line, frames[1].line);
}

class BuiltSample : public ::testing::TestWithParam<const char*> {};

TEST_P(BuiltSample, GivesInlineFramesWithFilesAndLines) {
    const std::string path = GetParam();
    MappedImage image(path);
    expect_inline_chain(image, extent_of(path, kOutermost));
    EXPECT_EQ(image.symbolizer().modules().at(0).path.substr(0, 1), "[") << "the vdso";
    EXPECT_EQ(image.symbolizer().modules().at(1).source, "dwarf");
    EXPECT_EQ(image.symbolizer().counters().errors, std::vector<std::string>{});
}

TEST_P(BuiltSample, NamesEveryKindOfFunction) {
    const std::string path = GetParam();
    MappedImage image(path);
    const std::string table = run("nm '" + path + "'");
    for (const char* symbol :
         {"_ZN6sample5twiceIlEET_S1_", "_ZN6sample6WidgetclEi", "_ZN6sample6WidgetclEi.isra.0",
          "_ZN6sample10overloadedEi", "_ZN12_GLOBAL__N_119hidden_in_namespaceEi",
          "_ZNK12_GLOBAL__N_16Hidden6methodEi.isra.0", "_ZNK6sample6Widget5totalEv",
          "_ZL11file_statici", "plain_c_function", "main"}) {
        if (table.find(std::string(" ") + symbol + "\n") == std::string::npos)
            continue;  // compilers drop and rename some
        const auto frames = image.at(extent_of(path, symbol).begin);
        const std::string expected = demangle(symbol);
        const std::string& found = frames.back().function;
        EXPECT_EQ(found.substr(0, found.find(" [clone")), expected.substr(0, expected.find(" [")));
    }
}

INSTANTIATE_TEST_SUITE_P(Symbols, BuiltSample,
                         ::testing::Values(SAMPLE_PIE, SAMPLE_FIXED, SAMPLE_COMPRESSED,
                                           SAMPLE_DWARF4));

class SeparateDebug : public ::testing::Test {
  protected:
    SeparateDebug() {
        run("cp '" SAMPLE_PIE "' '" + binary_ + "' && objcopy --only-keep-debug '" + binary_ +
            "' '" + debug_ + "' && strip '" + binary_ + "'");
        options_.root = root_.path().string();
    }
    /// The binary is mapped by its path in the scratch root.
    MappedImage image() {
        options_.root = "/";
        options_.debug_directories = {root_ / "usr/lib/debug"};
        return MappedImage(binary_, options_);
    }
    ScratchDirectory root_;
    SymbolizerOptions options_;
    std::string binary_ = root_ / "program";
    std::string debug_ = root_ / "program.debug";
    Extent extent_ = extent_of(SAMPLE_PIE, kOutermost);
};

TEST_F(SeparateDebug, IsFoundByBuildId) {
    const auto id = read_build_id(binary_);
    ASSERT_TRUE(id.ok() && id->size() == 40) << "the linker writes build-ids";
    const std::string folder = root_ / "usr/lib/debug/.build-id/" + id->substr(0, 2);
    run("mkdir -p '" + folder + "' && mv '" + debug_ + "' '" + folder + "/" + id->substr(2) +
        ".debug'");
    MappedImage mapped = image();
    expect_inline_chain(mapped, extent_);
    EXPECT_EQ(mapped.symbolizer().modules().at(1).build_id, *id);
}

TEST_F(SeparateDebug, IsFoundByDebugLinkInTheThreePlaces) {
    const std::string in_root = "cd '" + root_.path().string() + "' && ";
    run(in_root + "mv program.debug kept && strip -R .note.gnu.build-id program");
    for (const std::string& folder :
         {std::string("."), std::string(".debug"), "usr/lib/debug" + root_.path().string()}) {
        std::string command = in_root;
        command += "cp kept program.debug && objcopy -R .gnu_debuglink program && ";
        command += "objcopy --add-gnu-debuglink=program.debug program && rm program.debug && ";
        command.append("mkdir -p './").append(folder).append("' && cp kept './").append(folder);
        command += "/program.debug'";
        run(command);
        MappedImage mapped = image();
        expect_inline_chain(mapped, extent_);
        std::filesystem::remove(root_ / (folder + "/program.debug"));
    }
}

TEST_F(SeparateDebug, OfAnotherBuildIsNotUsed) {
    run("cd '" + root_.path().string() + "' && objcopy -R .note.gnu.build-id program && " +
        "objcopy --add-gnu-debuglink=program.debug program && printf x >> program.debug");
    MappedImage mapped = image();
    EXPECT_EQ(mapped.at(extent_.begin).front().function, "") << "checksum differs";
}

TEST_F(SeparateDebug, IsLookedUpInsideTheTargetsRoot) {
    const auto id = read_build_id(binary_);
    const std::string folder = root_ / "usr/lib/debug/.build-id/" + id->substr(0, 2);
    run("mkdir -p '" + folder + "' && cp '" + debug_ + "' '" + (root_ / "elsewhere") +
        "' && ln -s /elsewhere '" + folder + "/" + id->substr(2) + ".debug'");
    options_.debug_directories = {"/usr/lib/debug"};
    // As mapped by a process whose root is the scratch directory.
    const std::string inside = root_.path().string() + binary_;
    run("mkdir -p $(dirname '" + inside + "') && ln '" + binary_ + "' '" + inside + "'");
    MappedImage mapped(binary_, options_);
    expect_inline_chain(mapped, extent_);
}

TEST_F(SeparateDebug, IsNotReadFromAPipe) {
    const auto id = read_build_id(binary_);
    const std::string folder = root_ / "usr/lib/debug/.build-id/" + id->substr(0, 2);
    run("mkdir -p '" + folder + "' && mkfifo '" + folder + "/" + id->substr(2) + ".debug'");
    MappedImage mapped = image();
    EXPECT_EQ(mapped.at(extent_.begin).front().function, "") << "and above all: it came back";
}

TEST_F(SeparateDebug, MiniDebugInfoNamesLocalFunctions) {
    run("cd '" + root_.path().string() + "' && objcopy -S -K " + std::string(kOutermost) +
        " '" SAMPLE_PIE +
        "' mini && xz -k mini && objcopy --add-section .gnu_debugdata=mini.xz program");
    MappedImage mapped = image();
    const auto frames = mapped.at(extent_.begin + 1);
    EXPECT_EQ(frames.front().function, "sample::outermost(int)");
    EXPECT_EQ(mapped.symbolizer().modules().at(1).source, "debugdata");
}

TEST_F(SeparateDebug, MissingLeavesModuleAndOffset) {
    MappedImage mapped = image();
    const auto frames = mapped.at(extent_.begin + 3);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].function, "");
    EXPECT_EQ(frames[0].module_offset, extent_.begin + 3);
    EXPECT_TRUE(frame_name(frames[0]).starts_with("program+0x")) << frame_name(frames[0]);
    EXPECT_GT(mapped.symbolizer().counters().unresolved, 0U);
}

TEST(SymbolTables, AreEnoughWithoutDwarf) {
    const ScratchDirectory scratch;
    run("strip --strip-debug -o '" + (scratch / "program") + "' '" SAMPLE_FIXED "'");
    MappedImage mapped(scratch / "program");
    const auto frames = mapped.at(extent_of(SAMPLE_FIXED, kOutermost).begin + 1);
    EXPECT_EQ(frames.front().function, "sample::outermost(int)");
    EXPECT_EQ(frames.front().line, 0U);
    EXPECT_EQ(mapped.symbolizer().modules().at(1).source, "symtab");
}

TEST(SymbolTables, ALabelWithoutASizeDoesNotNameAllThatFollows) {
    const ScratchDirectory scratch;
    run("cd '" + scratch.path().string() +
        "' && printf '.text\\n.globl label\\nlabel:\\n.skip 16384, 0x90\\nret\\n' > a.s && "
        "gcc -shared -nostdlib -s -o lib.so a.s");
    const std::uint64_t label = std::stoull(
        run("nm -D '" + (scratch / "lib.so") + "' | awk '/ label$/{print $1}'"), nullptr, 16);
    MappedImage mapped(scratch / "lib.so");
    EXPECT_EQ(mapped.at(label + 16).front().function, "label");
    EXPECT_EQ(mapped.at(label + 12000).front().function, "");
}

/// The label is an assembler's function of 32 bytes; behind it is one of a C compiler that is not
/// exported, and whose symbol was stripped.
TEST(SymbolTables, ALabelDoesNotNameTheFunctionBehindIt) {
    const ScratchDirectory scratch;
    run("cd '" + scratch.path().string() +
        "' && printf '.text\\n.globl label\\nlabel:\\n.skip 31, 0x90\\nret\\n"
        ".cfi_startproc\\n.skip 63, 0x90\\nret\\n.cfi_endproc\\n"
        ".globl known\\nknown:\\n.cfi_startproc\\n.skip 15, 0x90\\ninside:\\nret\\n.cfi_endproc\\n"
        "' > a.s && gcc -shared -nostdlib -Wl,--eh-frame-hdr -s -o lib.so a.s");
    const std::uint64_t label = std::stoull(
        run("nm -D '" + (scratch / "lib.so") + "' | awk '/ label$/{print $1}'"), nullptr, 16);
    MappedImage mapped(scratch / "lib.so");
    EXPECT_EQ(mapped.at(label).front().function, "label");
    EXPECT_EQ(mapped.at(label + 31).front().function, "label");
    EXPECT_EQ(mapped.at(label + 32).front().function, "");
    EXPECT_EQ(mapped.at(label + 32 + 63).front().function, "");
    EXPECT_EQ(mapped.at(label + 32 + 64).front().function, "known");
    EXPECT_EQ(mapped.at(label + 32 + 64 + 15).front().function, "known");
}

TEST(SymbolTables, TheEntryOfALibraryIsNoStart) {
    const std::string libc = run("realpath $(gcc -print-file-name=libc.so.6)");
    const std::string path = libc.substr(0, libc.find('\n'));
    const std::string head = run("readelf -h '" + path + "' | sed -n 's/.*Entry point.*: *//p'");
    const std::uint64_t entry = std::stoull(head, nullptr, 16);
    ASSERT_NE(entry, 0U) << path << " cannot be run: it shows nothing";
    MappedImage image(path);
    for (std::uint64_t at = entry; at < entry + 48; ++at)
        EXPECT_NE(image.at(at).back().function, "_start") << at - entry;
}

TEST(SymbolBudget, DroppedTablesAreBuiltAgain) {
    SymbolizerOptions options;
    options.memory_bytes = 4096;  // less than anything needs
    MappedImage small(SAMPLE_PIE, options);
    MappedImage large(SAMPLE_PIE);
    const Extent extent = extent_of(SAMPLE_PIE, kOutermost);
    for (std::uint64_t at = extent.begin; at < extent.begin + extent.bytes; ++at) {
        EXPECT_EQ(frame_name(small.at(at).front()), frame_name(large.at(at).front()));
    }
}

}  // namespace
}  // namespace asrtrace::symbols
