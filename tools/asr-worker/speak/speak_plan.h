// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What is to be spoken: digit strings with a voice and a manner, drawn from a seed. The same seed
// gives the same plan on every machine (no std:: distributions, whose results differ by library).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "speak/voices.h"

namespace asr {

struct Utterance {
    std::string text;      ///< transcript: words and single spaces
    std::string spoken;    ///< what espeak-ng is given: the transcript with some commas (pauses)
    std::string voice;     ///< espeak-ng's -v
    int words_per_minute;  ///< -s
    int pitch;             ///< -p, 0..99
    int word_gap_10ms;     ///< -g
    int lead_silence_ms;   ///< put before the speech
    int trail_silence_ms;  ///< put behind it
};

struct SpeakPlan {
    std::size_t count = 150;
    std::uint64_t seed = 1;
    double min_seconds = 0.5;
    double max_seconds = 12.0;
    VoiceSet voices = VoiceSet::kAll;
};

/// Draws `plan.count` utterances of about min_seconds..max_seconds (lengths uniform). With kAll,
/// every second utterance has a held-out voice; with kHeldOut every fourth has the held-out accent.
std::vector<Utterance> draw_utterances(const SpeakPlan& plan);

}  // namespace asr
