// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <gtest/gtest.h>

#include "user/symbols/mappings.h"

namespace asrtrace::symbols {
namespace {

std::uint32_t module_at(const Mappings& mappings, std::uint32_t generation, std::uint64_t address) {
    const CodeRange* range = mappings.find(generation, address);
    return range != nullptr ? range->module : 999;
}

TEST(SymbolMappings, KnowsWhoHeldAnAddressAndWhen) {
    Mappings mappings;
    EXPECT_EQ(module_at(mappings, 1, 0x1000), 999U);
    mappings.add_snapshot(5, {{0x1000, 0x2000, 0, 1}, {0x3000, 0x4000, 0, 2}});
    mappings.add_snapshot(7, {{0x3000, 0x4000, 0, 2}});
    mappings.add_snapshot(9, {{0x1800, 0x2800, 0, 3}, {0x3000, 0x4000, 0, 2}});
    EXPECT_EQ(module_at(mappings, 0, 0x1800), 1U) << "older than the first snapshot";
    EXPECT_EQ(module_at(mappings, 5, 0x1800), 1U);
    EXPECT_EQ(module_at(mappings, 6, 0x1fff), 1U);
    EXPECT_EQ(module_at(mappings, 7, 0x1800), 999U);
    EXPECT_EQ(module_at(mappings, 8, 0x1800), 999U);
    EXPECT_EQ(module_at(mappings, 9, 0x1800), 3U);
    EXPECT_EQ(module_at(mappings, 1000, 0x27ff), 3U);
    EXPECT_EQ(module_at(mappings, 5, 0x27ff), 999U);
    for (std::uint32_t g = 0; g < 12; ++g) EXPECT_EQ(module_at(mappings, g, 0x3000), 2U);
    EXPECT_EQ(module_at(mappings, 9, 0x4000), 999U);
}

TEST(SymbolMappings, ForgetsPastTheLimitAndCounts) {
    Mappings mappings;
    for (std::uint32_t g = 1; g < 70000; ++g) mappings.add_snapshot(g, {{0x1000, 0x2000, g, g}});
    EXPECT_EQ(mappings.dropped(), 69998U - 65536U);
    EXPECT_EQ(module_at(mappings, 69999, 0x1000), 69999U);
    EXPECT_EQ(module_at(mappings, 65000, 0x1000), 65000U);
    EXPECT_EQ(module_at(mappings, 1234, 0x1000), 999U);
}

}  // namespace
}  // namespace asrtrace::symbols
