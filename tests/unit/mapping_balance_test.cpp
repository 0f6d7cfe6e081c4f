// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/mapping_balance.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace asrtrace {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

std::uint64_t unseen_after(std::initializer_list<std::int64_t> readings) {
    MappingBalance balance;
    for (const std::int64_t reading : readings) balance.add(reading);
    return balance.unseen_bytes();
}

TEST(MappingBalance, WhatAgreesIsSilent) {
    EXPECT_EQ(unseen_after({}), 0U);
    EXPECT_EQ(unseen_after({0, 0, 0, 0, 0, 0, 0}), 0U);
    EXPECT_EQ(unseen_after({4096, 4096, 4096, 4096, 4096, 4096}), 0U);  // the kernel's own page
}

TEST(MappingBalance, CallsUnderWayAreNoise) {
    EXPECT_EQ(unseen_after({kMiB, 0, 3 * kMiB, -kMiB, 2 * kMiB, 0, kMiB}), 0U);
    // One-sided by chance, but no further from nothing than from each other.
    EXPECT_EQ(unseen_after({kMiB, 2 * kMiB, 4 * kMiB, kMiB, 3 * kMiB, 2 * kMiB}), 0U);
    EXPECT_EQ(unseen_after({8 * kMiB, 8 * kMiB, 8 * kMiB, 8 * kMiB, 0}), 0U);
}

TEST(MappingBalance, WhatStaysDifferentWasNotSeen) {
    EXPECT_EQ(unseen_after({0, 8 * kMiB, 8 * kMiB, 8 * kMiB, 8 * kMiB, 8 * kMiB}), 8U << 20);
    EXPECT_EQ(unseen_after({-8 * kMiB, -9 * kMiB, -8 * kMiB, -8 * kMiB, -8 * kMiB}), 8U << 20);
}

TEST(MappingBalance, TheMostThatWasNotSeenStays) {
    EXPECT_EQ(unseen_after({8 * kMiB, 8 * kMiB, 8 * kMiB, 8 * kMiB, 8 * kMiB, 0, 0, 0, 0, 0}),
              8U << 20);
}

}  // namespace
}  // namespace asrtrace
