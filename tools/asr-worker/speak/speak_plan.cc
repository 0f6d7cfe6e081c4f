// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "speak/speak_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <span>
#include <string_view>

namespace asr {
namespace {

constexpr auto kDigits = std::to_array<std::string_view>(
    {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"});

// At 160 words a minute espeak-ng needs about 0.39 s for a digit; it scales with the rate.
constexpr double kSecondsTimesRate = 62.0;

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : engine_(seed) {}

    /// Uniform in [low, high].
    int between(int low, int high) {
        const auto span = static_cast<std::uint64_t>(high - low) + 1;
        return low + static_cast<int>(engine_() % span);
    }
    double real(double low, double high) {
        return low + (high - low) * (static_cast<double>(engine_() >> 11) * 0x1p-53);
    }
    std::string_view pick(std::span<const std::string_view> from) {
        return from[engine_() % from.size()];
    }

  private:
    std::mt19937_64 engine_;
};

std::string draw_voice(Dice& dice, bool held_out) {
    const auto variant = dice.pick(held_out ? held_out_variants() : train_variants());
    auto accent = dice.pick(train_accents());
    if (held_out && dice.between(0, 3) == 0) accent = kHeldOutAccent;
    return std::string(accent) + "+" + std::string(variant);
}

Utterance draw_utterance(Dice& dice, const SpeakPlan& plan, bool held_out) {
    Utterance out;
    out.voice = draw_voice(dice, held_out);
    out.words_per_minute = dice.between(115, 200);
    out.pitch = dice.between(25, 75);
    out.word_gap_10ms = dice.between(0, 3) == 0 ? dice.between(1, 8) : 0;
    out.lead_silence_ms = dice.between(0, 150);
    out.trail_silence_ms = dice.between(0, 100);

    const double seconds = dice.real(plan.min_seconds, plan.max_seconds);
    const double per_word =
        kSecondsTimesRate / out.words_per_minute + 0.011 * out.word_gap_10ms + 0.03;
    const int words = std::max(1, static_cast<int>(std::lround((seconds - 0.15) / per_word)));
    for (int i = 0; i < words; ++i) {
        const auto word = dice.pick(kDigits);
        if (i > 0) {
            out.text += ' ';
            out.spoken += dice.between(0, 9) == 0 ? ", " : " ";
        }
        out.text += word;
        out.spoken += word;
    }
    return out;
}

}  // namespace

std::vector<Utterance> draw_utterances(const SpeakPlan& plan) {
    Dice dice(plan.seed);
    std::vector<Utterance> out;
    out.reserve(plan.count);
    for (std::size_t i = 0; i < plan.count; ++i) {
        const bool held_out =
            plan.voices == VoiceSet::kHeldOut || (plan.voices == VoiceSet::kAll && i % 2 == 1);
        out.push_back(draw_utterance(dice, plan, held_out));
    }
    return out;
}

}  // namespace asr
