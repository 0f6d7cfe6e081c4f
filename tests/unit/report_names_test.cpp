// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Names and numbers as people read them.
#include "user/report/names.h"

#include <gtest/gtest.h>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/page.h"

namespace asrtrace::report {
namespace {

TEST(Names, FunctionsLoseArgumentsAndTemplates) {
    EXPECT_EQ(shorten_function("operator new(unsigned long)"), "operator new");
    EXPECT_EQ(shorten_function("plant::leak(unsigned long, int) const"), "plant::leak");
    EXPECT_EQ(shorten_function("void run<std::vector<int, A<int> > >(int)"),
              "run<std::vector<int, A<int>>>");
    EXPECT_EQ(shorten_function("a::operator<<(a&)"), "a::operator<<");
    EXPECT_EQ(shorten_function("a::operator()(int) const"), "a::operator()");
    EXPECT_EQ(shorten_function("a::operator-> ()"), "a::operator-> ");
    EXPECT_EQ(shorten_function("(anonymous namespace)::f(int)"), "{anon}::f");
    EXPECT_EQ(shorten_function("main::{lambda(int)#1}::operator()(int) const"),
              "main::{lambda(int)#1}::operator()");
    EXPECT_EQ(shorten_function("std::__cxx11::basic_string<char, std::char_traits<char>, "
                               "std::allocator<char> >::append(char const*)"),
              "std::string::append");
    EXPECT_EQ(shorten_function("f<"), "f<");
    EXPECT_EQ(shorten_function("{"), "{");
    EXPECT_EQ(shorten_function(""), "");
}

TEST(Page, NoNameBeginsALineOfItsOwn) {
    EXPECT_EQ(escape_terminal("leak_plant  worker"), "leak_plant  worker") << "a gap of ours";
    const std::string forged = "attached";
    for (const std::string& gap : {std::string(98, ' '), ' ' + std::string(99, 'y') + ' '}) {
        const std::string name = 'x' + gap + forged;
        for (const std::size_t indent : {0U, 2U, 7U}) {
            Page page;
            page.paragraph("- " + escape_terminal(name) + " defines malloc", indent);
            page.paragraph(escape_terminal(name) + " defines malloc", indent, 2);
            const std::string text = page.take();
            EXPECT_NE(text.find(forged), std::string::npos);
            EXPECT_EQ(text.find('\n' + std::string(indent, ' ') + forged), std::string::npos);
        }
    }
    Page page;
    page.paragraph("- " + std::string(96, 'a') + " bb", 2);
    page.paragraph("=> " + std::string(95, 'a') + " bb", 2);
    page.paragraph(std::string(98, 'a') + " bb", 2);
    EXPECT_EQ(page.take(), "  - " + std::string(96, 'a') + "\n    bb\n  => " +
                               std::string(95, 'a') + "\n     bb\n  " + std::string(98, 'a') +
                               "\n  bb\n");
}

TEST(Names, TheCulpritIsNotTheAllocator) {
    using ledger::Frame;
    const Frame new_frame{"operator new(unsigned long)", "", 0, "/usr/bin/w", 0, false};
    const Frame vector{"void std::vector<int>::push_back(int&&)", "", 0, "/usr/bin/w", 0, false};
    const Frame libc{"anything", "", 0, "/lib/x86_64-linux-gnu/libc.so.6", 0, false};
    const Frame mine{"malloc_audio(int)", "", 0, "/usr/bin/w", 0, false};
    const Frame above{"main", "", 0, "/usr/bin/w", 0, false};
    EXPECT_EQ(culprit_of({&new_frame, &vector, &libc, &mine, &above}), &mine);
    EXPECT_EQ(culprit_of({&new_frame}), &new_frame);
    EXPECT_EQ(culprit_of({}), nullptr);
}

TEST(Names, FramesWithoutAFunctionHaveTheirPlace) {
    EXPECT_EQ(function_of({"", "", 0, "/opt/libx.so", 0x12ab, false}), "libx.so+0x12ab");
    EXPECT_EQ(function_of({}), "[unknown]");
    EXPECT_EQ(location_of({"f", "/src/a.cpp", 7, "", 0, false}), "a.cpp:7");
    EXPECT_EQ(location_of({"f", "", 7, "", 0, false}), "");
}

TEST(Quantities, AreExactWhereSizesAreCompared) {
    EXPECT_EQ(bytes(std::uint64_t{3917}), "3,917 B");
    EXPECT_EQ(bytes(std::uint64_t{0}), "0 B");
    EXPECT_EQ(bytes(0.25), "0.25 B");
    EXPECT_EQ(bytes(-3917.0), "-3,917 B");
    EXPECT_EQ(bytes(std::uint64_t{1} << 20), "1.00 MiB");
    EXPECT_EQ(bytes(123'456.0), "120.6 KiB");
    EXPECT_EQ(signed_bytes(5), "+5 B");
    EXPECT_EQ(byte_range({3900, 4100}), "3,900 to 4,100 B");
    EXPECT_EQ(byte_range({-1, 3e6}), "-0.00 to 2.86 MiB");
    EXPECT_EQ(grouped(1'234'567), "1,234,567");
    EXPECT_EQ(percent(0.0001), "<0.1 %");
    EXPECT_EQ(percent(0.99999), ">99.9 %");
    EXPECT_EQ(percent(1), "100.0 %");
    EXPECT_EQ(duration_ns(1'500'000), "1.5 ms");
}

TEST(Pages, NeverExceedTheirColumns) {
    Page page;
    page.line(std::string(300, 'x'));
    page.paragraph(std::string(50, 'y') + " " + std::string(250, 'z') + " \xc3\xa9nd", 4);
    const auto text = page.take();
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        EXPECT_LE(columns_of(text.substr(at, end - at)), kPageColumns);
        at = end + 1;
    }
    EXPECT_EQ(clipped("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4), "\xc3\xa9...");
}

}  // namespace
}  // namespace asrtrace::report
