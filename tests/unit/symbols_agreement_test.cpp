// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Thousands of addresses of real binaries, against binutils' addr2line (a DWARF reader of its own).
// What counts as equal: symbols_oracle.h.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <sstream>

#include "tests/unit/symbols_fixture.h"
#include "tests/unit/symbols_oracle.h"

namespace asrtrace::symbols {
namespace {

using testing::MappedImage;
using testing::OracleStack;

bool same_place(const SourceFrame& ours, const std::string& theirs) {
    if (ours.line == 0) return theirs.ends_with(":?") || theirs.ends_with(":0");
    const std::string file = ours.file.substr(ours.file.rfind('/') + 1);
    return file + ":" + std::to_string(ours.line) == theirs;
}

struct Tally {
    int compared = 0;
    int functions = 0;  ///< stacks whose functions agree from the innermost frame to the outermost
    int places = 0;     ///< stacks whose files and lines agree too
    std::vector<std::string> differences;
};

void tally(std::uint64_t address, const std::vector<SourceFrame>& ours, const OracleStack& theirs,
           Tally& result) {
    ++result.compared;
    const bool functions = testing::same_functions(ours, theirs);
    bool places = functions;
    for (std::size_t i = 0; functions && i < ours.size(); ++i) {
        places = places && same_place(ours[i], theirs[i].place);
    }
    result.functions += functions ? 1 : 0;
    result.places += functions && places ? 1 : 0;
    if (functions && places) return;
    std::ostringstream text;
    text << std::hex << address << std::dec;
    for (const auto& frame : ours) {
        text << "\n  ours   " << frame.function << " " << frame.file << ":" << frame.line;
    }
    for (const auto& frame : theirs) text << "\n  theirs " << frame.function << " " << frame.place;
    result.differences.push_back(text.str());
}

std::vector<std::uint64_t> addresses_of(const std::string& path, std::size_t count) {
    std::mt19937_64 random(42);
    std::vector<std::uint64_t> addresses;
    const auto functions = testing::functions_of(path);
    EXPECT_FALSE(functions.empty());
    for (std::size_t i = 0; !functions.empty() && i < count; ++i) {
        const auto& function = functions[random() % functions.size()];
        addresses.push_back(function.begin + random() % function.bytes);
    }
    return addresses;
}

class Agreement : public ::testing::TestWithParam<const char*> {};

TEST_P(Agreement, WithAddr2line) {
    const std::string path = std::filesystem::canonical(GetParam()).string();
    const auto addresses = addresses_of(path, 4000);
    const auto theirs = testing::ask_addr2line(path, addresses);
    ASSERT_EQ(theirs.size(), addresses.size());
    MappedImage image(path);
    Tally result;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        tally(addresses[i], image.at(addresses[i]), theirs[i], result);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::cout << path << ": " << result.functions << " of " << result.compared
              << " stacks agree in functions, " << result.places << " in files and lines too, "
              << took.count() << " s\n";
    for (std::size_t i = 0; i < std::min<std::size_t>(result.differences.size(), 12); ++i) {
        std::cout << "  differs at " << result.differences[i] << "\n";
    }
    EXPECT_GE(result.functions, result.compared * 99 / 100);
    EXPECT_GE(result.places, result.compared * 97 / 100);
    EXPECT_LT(took.count(), 20) << "4,000 lookups";
}

INSTANTIATE_TEST_SUITE_P(Symbols, Agreement,
                         ::testing::Values("/proc/self/exe", SAMPLE_FIXED, SAMPLE_DWARF4,
                                           SAMPLE_COMPRESSED));

}  // namespace
}  // namespace asrtrace::symbols
