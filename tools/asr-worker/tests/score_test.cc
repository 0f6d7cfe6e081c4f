// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "client/score.h"

#include <gtest/gtest.h>

namespace asr {
namespace {

TEST(Score, EditDistance) {
    const auto distance = [](std::string_view a, std::string_view b) {
        return edit_distance(a, b);
    };
    EXPECT_EQ(distance("kitten", "sitting"), 3U);
    EXPECT_EQ(distance("", "abc"), 3U);
    EXPECT_EQ(distance("abc", ""), 3U);
    EXPECT_EQ(distance("abc", "abc"), 0U);
    EXPECT_EQ(distance("abc", "xabc"), 1U);
}

TEST(Score, CountsWordsAndCharacters) {
    Score score;
    score.add("one two three", "one too three");
    score.add("four", "four");
    EXPECT_EQ(score.words, 4U);
    EXPECT_EQ(score.word_errors, 1U);
    EXPECT_EQ(score.exact, 1U);
    EXPECT_DOUBLE_EQ(score.word_accuracy(), 0.75);
    EXPECT_DOUBLE_EQ(score.character_error_rate(), 1.0 / 17.0);
}

TEST(Score, MoreErrorsThanWordsIsNoNegativeAccuracy) {
    Score score;
    score.add("one", "a b c");
    EXPECT_DOUBLE_EQ(score.word_error_rate(), 3.0);
    EXPECT_DOUBLE_EQ(score.word_accuracy(), 0.0);
}

}  // namespace
}  // namespace asr
