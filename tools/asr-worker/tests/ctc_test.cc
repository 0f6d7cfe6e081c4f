// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/ctc.h"

#include <gtest/gtest.h>

namespace asr {
namespace {

constexpr std::string_view kVocabulary = "_ abc";

std::string text_of(std::string_view frames) {
    std::vector<std::uint8_t> path;
    for (const char c : frames) path.push_back(static_cast<std::uint8_t>(kVocabulary.find(c)));
    return collapse(path, kVocabulary);
}

TEST(Ctc, MergesRepeatsAndDropsBlanks) {
    EXPECT_EQ(text_of("__aaa_bb_cc__"), "abc");
    EXPECT_EQ(text_of("a_ab"), "aab");
    EXPECT_EQ(text_of("____"), "");
    EXPECT_EQ(text_of(""), "");
}

TEST(Ctc, SeparatesWordsBySingleSpaces) {
    EXPECT_EQ(text_of(" _a  _ b "), "a b");
}

TEST(Ctc, TakesTheBestClassOfEveryFrameKept) {
    Tensor logits(3, 4);
    const std::vector<float> values = {9, 0, 0, 1,  // class 0 of frames 0..3
                                       0, 5, 1, 1,  // class 1
                                       0, 1, 2, 0};
    std::copy(values.begin(), values.end(), logits.values().begin());
    EXPECT_EQ(best_path(logits, 0, 4), (std::vector<std::uint8_t>{0, 1, 2, 0}));
    EXPECT_EQ(best_path(logits, 1, 3), (std::vector<std::uint8_t>{1, 2}));
    EXPECT_TRUE(best_path(logits, 2, 2).empty());
}

}  // namespace
}  // namespace asr
