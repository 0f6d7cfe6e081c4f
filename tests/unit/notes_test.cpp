// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a recording says stays short, however long it is.
#include "tools/asrtrace/notes.h"

#include <gtest/gtest.h>

namespace asrtrace {
namespace {

TEST(Notes, ComeInOrder) {
    Notes notes;
    notes.add("a");
    notes.add(Notes::Repeated::kExec, "exec 1");
    notes.add("b");
    notes.add(Notes::Repeated::kExec, "exec 2");
    EXPECT_EQ(notes.list(), (std::vector<std::string>{"a", "exec 1", "exec 2", "b"}));
}

TEST(Notes, OfWhatRepeatsItselfTheFirstAndTheLastAreKept) {
    Notes notes;
    for (int i = 1; i <= 100'000; ++i) {
        notes.add(Notes::Repeated::kBudget, "budget " + std::to_string(i));
        notes.add(Notes::Repeated::kOomKill, "kill " + std::to_string(i));
    }
    const auto list = notes.list();
    ASSERT_EQ(list.size(), 2 * (Notes::kFirst + 1 + Notes::kLast));
    EXPECT_EQ(list[0], "budget 1");
    EXPECT_EQ(list[3], "budget 4");
    EXPECT_EQ(list[4], "(99992 more of this kind)");
    EXPECT_EQ(list[5], "budget 99997");
    EXPECT_EQ(list[8], "budget 100000");
    EXPECT_EQ(list[9], "kill 1");
    EXPECT_EQ(list.back(), "kill 100000");
}

TEST(Notes, AFewAreAllKept) {
    Notes notes;
    for (std::size_t i = 0; i < Notes::kFirst + Notes::kLast; ++i)
        notes.add(Notes::Repeated::kExec, std::to_string(i));
    EXPECT_EQ(notes.list().size(), Notes::kFirst + Notes::kLast);
    EXPECT_EQ(notes.list().back(), "7");
}

}  // namespace
}  // namespace asrtrace
