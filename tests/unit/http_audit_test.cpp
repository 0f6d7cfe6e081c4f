// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/http_audit.h"

#include <gtest/gtest.h>

namespace asrtrace::capture {
namespace {

using Step = HttpAudit::Step;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 77 * kSecond;

TEST(HttpAudit, EnoughCallsEndALookAndAMinuteLaterTheNextBegins) {
    HttpAudit audit;
    EXPECT_EQ(audit.advance(kStart, 0, 0), Step::kNone);
    EXPECT_EQ(audit.advance(kStart + kSecond, 500, 0), Step::kNone);
    EXPECT_EQ(audit.advance(kStart + 2 * kSecond, 500, 0), Step::kLookAway);
    EXPECT_EQ(audit.advance(kStart + 61 * kSecond, 500, 0), Step::kNone);
    EXPECT_EQ(audit.advance(kStart + 62 * kSecond, 500, 0), Step::kLook);
    // What an earlier look saw says nothing of this one.
    EXPECT_EQ(audit.advance(kStart + 64 * kSecond, 510, 0), Step::kNone);
    EXPECT_EQ(audit.advance(kStart + 67 * kSecond, 510, 0), Step::kLookAway);
}

TEST(HttpAudit, OfAnIdleTargetTheNextLookComesSooner) {
    HttpAudit audit;
    audit.advance(kStart, 0, 0);
    EXPECT_EQ(audit.advance(kStart + 4 * kSecond, 3, 0), Step::kNone);
    EXPECT_EQ(audit.advance(kStart + 5 * kSecond, 3, 0), Step::kLookAway);
    EXPECT_EQ(audit.advance(kStart + 25 * kSecond, 3, 0), Step::kLook);
}

TEST(HttpAudit, ACallThatPassedByIsTheEnd) {
    HttpAudit audit;
    audit.advance(kStart, 0, 0);
    EXPECT_EQ(audit.advance(kStart + kSecond, 99, 1), Step::kGiveUp);
    EXPECT_EQ(audit.advance(kStart + 100 * kSecond, 99, 5), Step::kNone);
}

}  // namespace
}  // namespace asrtrace::capture
