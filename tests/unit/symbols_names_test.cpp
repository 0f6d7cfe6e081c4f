// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "user/base/escape.h"
#include "user/symbols/demangle.h"
#include "user/symbols/display_name.h"
#include "user/symbols/symbolizer.h"

namespace asrtrace::symbols {
namespace {

TEST(SymbolNames, DemanglesCxxAndRust) {
    EXPECT_EQ(demangle("_ZN2ns3Foo3barEiPKc"), "ns::Foo::bar(int, char const*)");
    EXPECT_EQ(demangle("_ZN2ns3Foo3barEiPKc.part.0"),
              "ns::Foo::bar(int, char const*) [clone .part.0]");
    EXPECT_EQ(demangle("_ZN4core3ptr13drop_in_place17h0123456789abcdefE"),
              "core::ptr::drop_in_place");
    EXPECT_EQ(demangle("_RNvCs4fqI2P2rA04_7mycrate3foo"), "mycrate::foo");
    EXPECT_EQ(demangle("malloc"), "malloc");
    EXPECT_EQ(demangle("memcpy@@GLIBC_2.14"), "memcpy");
    EXPECT_EQ(demangle("_Znotreally"), "_Znotreally");
    EXPECT_EQ(demangle(""), "");
}

/// f(A0) with A(n+1) = pair<A(n), A(n)>: 2^60 names if nobody stops it.
TEST(SymbolNames, StopsANameThatExplodes) {
    std::string symbol = "_Z1fSt4pairIiiE";
    const std::string digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    symbol += "S_IS0_S0_E";
    for (std::size_t i = 1; i < 34; ++i) {
        const std::string previous{'S', digits[i], '_'};
        symbol.append("S_I").append(previous).append(previous).append("E");
    }
    const auto start = std::chrono::steady_clock::now();
    const std::string name = demangle(symbol);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    EXPECT_LE(name.size(), kMaxNameBytes);
}

TEST(SymbolNames, CutsWhatIsTooLong) {
    for (const std::size_t bytes : {5'000U, 100'000U, 20'000'000U}) {
        for (const std::string start : {"_Z", "_R", "f"}) {
            const std::string name = demangle(start + std::string(bytes, '1'));
            EXPECT_EQ(name.size(), kMaxNameBytes);
            EXPECT_TRUE(name.ends_with("1..."));
        }
    }
    EXPECT_EQ(demangle("_Z1fIXadL_Z4096" + std::string(4096, 'g') + "EEEvv").size(), kMaxNameBytes);
}

TEST(SymbolNames, DropsParametersAndReturnTypes) {
    EXPECT_EQ(without_parameters("ns::f(int)"), "ns::f");
    EXPECT_EQ(without_parameters("void ns::f<int>(int) const"), "ns::f<int>");
    EXPECT_EQ(without_parameters("ns::F::operator()(int) const &"), "ns::F::operator()");
    EXPECT_EQ(without_parameters("F::operator bool() const"), "F::operator bool");
    EXPECT_EQ(without_parameters("operator new(unsigned long)"), "operator new");
    EXPECT_EQ(without_parameters("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
    EXPECT_EQ(without_parameters("f(int) [clone .cold]"), "f");
    EXPECT_EQ(without_parameters("main"), "main");
    EXPECT_EQ(without_parameters(")("), ")(");
    EXPECT_EQ(without_parameters(")"), ")");
    EXPECT_EQ(without_parameters(""), "");
}

TEST(SymbolNames, ShortensTemplateNoise) {
    EXPECT_EQ(display_name("f(std::__cxx11::basic_string<char, std::char_traits<char>, "
                           "std::allocator<char> > const&)"),
              "f(std::string const&)");
    EXPECT_EQ(display_name("std::vector<int, std::allocator<int> >::push_back(int&&)"),
              "std::vector<int>::push_back(int&&)");
    EXPECT_EQ(display_name("std::map<int, std::vector<int, std::allocator<int> >, std::less<int>, "
                           "std::allocator<std::pair<int const, std::vector<int, "
                           "std::allocator<int> > > > >::find(int const&)"),
              "std::map<int, std::vector<int>>::find(int const&)");
    EXPECT_EQ(display_name("void ns::run<int>(int)"), "ns::run<int>(int)");
    EXPECT_EQ(display_name("f[abi:cxx11](int) [clone .cold]"), "f(int)");
    EXPECT_EQ(display_name("std::ostream& ns::operator<< <int>(std::ostream&, int)"),
              "ns::operator<< <int>(std::ostream&, int)");
    EXPECT_EQ(display_name("bool operator<(A const&, B const&)"), "operator<(A const&, B const&)");
    const std::string deep = "a::b<c<d<e, f>, g<h, i>>, j<k<l, m>>>::run(int, long, double)";
    EXPECT_EQ(display_name(deep, 60), "a::b<c<d<e, f>, g<h, i>>, j<k<l, m>>>::run(...)");
    EXPECT_EQ(display_name(deep, 40), "a::b<c<...>, j<...>>::run(...)");
    EXPECT_EQ(display_name(deep, 20), "a::b<...>::run(...)");
    EXPECT_FALSE(display_name("<<<<>>)(unbalanced<", 4).empty());
}

TEST(SymbolNames, NamesFramesWithoutAFunction) {
    EXPECT_EQ(module_offset_name("/usr/lib/libfoo.so.1", 0x1234), "libfoo.so.1+0x1234");
    EXPECT_EQ(module_offset_name("[jit]", 0), "[jit]+0x0");
    SourceFrame frame;
    frame.module = "/bin/true";
    frame.module_offset = 16;
    EXPECT_EQ(frame_name(frame), "true+0x10");
    EXPECT_EQ(build_id_hex(std::string("\x00\xff\x1a", 3)), "00ff1a");
}

}  // namespace
}  // namespace asrtrace::symbols
