// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Thousands of addresses of real binaries, against binutils' addr2line (a DWARF reader of its own).
//
// Differences that are allowed, because both answers are right or addr2line's is worse:
// - clone suffixes (.cold, .localalias) and several names for one address;
// - names without a linkage name in DWARF (C, local functions): we add namespaces and parameters;
// - of such an inlined local function addr2line prints the symbol at the address, which is the
// outer
//   function's name, for the innermost frame.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/unit/symbols_fixture.h"
#include "user/symbols/demangle.h"

namespace asrtrace::symbols {
namespace {

using testing::MappedImage;
using testing::run;
using testing::ScratchDirectory;

struct OracleFrame {
    std::string function;
    std::string place;  ///< base name and line
};
using OracleStack = std::vector<OracleFrame>;

std::string base_place(std::string place) {
    place = place.substr(0, place.find(" (discriminator"));
    return place.substr(place.rfind('/') + 1);
}

std::vector<OracleStack> ask_addr2line(const std::string& path,
                                       const std::vector<std::uint64_t>& addresses) {
    const ScratchDirectory scratch;
    {
        std::ofstream list(scratch / "addresses");
        for (const std::uint64_t address : addresses) list << std::hex << "0x" << address << "\n";
    }
    std::istringstream lines(
        run("addr2line -a -i -f -C -e '" + path + "' < '" + (scratch / "addresses") + "'"));
    std::vector<OracleStack> stacks;
    std::string function;
    while (std::getline(lines, function)) {
        if (function.starts_with("0x")) {
            stacks.emplace_back();
            continue;
        }
        std::string place;
        std::getline(lines, place);
        stacks.back().push_back({function, base_place(place)});
    }
    return stacks;
}

std::string_view without_clone(std::string_view name) {
    return name.substr(0, name.find(" [clone"));
}

bool same_function(std::string_view ours, std::string_view theirs) {
    ours = without_clone(ours);
    theirs = without_clone(theirs);
    if (ours == theirs || (ours.empty() && theirs == "??")) return true;
    if (theirs.starts_with(ours) && theirs.substr(ours.size()).starts_with('.')) return true;
    const std::string_view plain = without_parameters(ours);
    return plain == theirs || plain.ends_with("::" + std::string(theirs));
}

/// See the third difference above.
bool is_outer_name(const std::vector<SourceFrame>& ours, std::string_view theirs) {
    const bool local = ours.front().inlined && !ours.front().function.ends_with(')');
    return local && same_function(ours.back().function, theirs);
}

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
    bool functions = ours.size() == theirs.size();
    bool places = functions;
    for (std::size_t i = 0; functions && i < ours.size(); ++i) {
        functions = same_function(ours[i].function, theirs[i].function) ||
                    (i == 0 && is_outer_name(ours, theirs[i].function));
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
    const auto theirs = ask_addr2line(path, addresses);
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
