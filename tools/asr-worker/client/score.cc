// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "client/score.h"

#include <sstream>

namespace asr {
namespace {

double ratio(std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
    std::istringstream stream{std::string(text)};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

void Score::add(std::string_view transcript, std::string_view recognised) {
    const auto expected = words_of(transcript);
    const std::size_t errors = edit_distance(expected, words_of(recognised));
    ++utterances;
    exact += errors == 0 ? 1 : 0;
    words += expected.size();
    word_errors += errors;
    characters += transcript.size();
    character_errors += edit_distance(transcript, recognised);
}

double Score::word_error_rate() const {
    return ratio(word_errors, words);
}

double Score::character_error_rate() const {
    return ratio(character_errors, characters);
}

}  // namespace asr
