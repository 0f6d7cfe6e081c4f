// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// How well a recognised text fits its transcript: edit distances over words and characters.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace asr {

/// Levenshtein distance: fewest insertions, deletions and substitutions that turn `a` into `b`.
template <typename Sequence>
std::size_t edit_distance(const Sequence& a, const Sequence& b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, substituted});
        }
    }
    return row.back();
}

std::vector<std::string> words_of(std::string_view text);

/// Sums over many utterances.
struct Score {
    std::size_t utterances = 0;
    std::size_t exact = 0;  ///< without any error
    std::size_t words = 0;
    std::size_t word_errors = 0;
    std::size_t characters = 0;
    std::size_t character_errors = 0;

    void add(std::string_view transcript, std::string_view recognised);

    double word_error_rate() const;
    double character_error_rate() const;
    /// 1 - word error rate, not below 0.
    double word_accuracy() const { return std::max(0.0, 1.0 - word_error_rate()); }
};

}  // namespace asr
