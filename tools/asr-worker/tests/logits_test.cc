// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The network against PyTorch's: data/logits.bin was written by model/export.py from the same
// weights.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "net/ctc.h"
#include "net/network.h"
#include "tests/wav_bytes.h"

namespace asr {
namespace {

constexpr float kTolerance = 1e-3F;

struct Reference {
    std::uint32_t classes = 0;
    std::uint32_t frames = 0;
    std::vector<float> samples;
    std::vector<float> logits;
};

Reference read_reference() {
    std::ifstream file(ASR_TEST_DATA "/logits.bin", std::ios::binary);
    const auto u32 = [&] {
        std::uint32_t value = 0;
        file.read(reinterpret_cast<char*>(&value), sizeof value);
        return value;
    };
    const auto floats = [&](std::size_t count) {
        std::vector<float> values(count);
        file.read(reinterpret_cast<char*>(values.data()),
                  static_cast<std::streamsize>(count * sizeof(float)));
        return values;
    };
    Reference out;
    const std::uint32_t samples = u32();
    out.classes = u32();
    out.frames = u32();
    out.samples = floats(samples);
    out.logits = floats(std::size_t{out.classes} * out.frames);
    if (!file) throw std::runtime_error("tests/data/logits.bin is missing or cut short");
    return out;
}

TEST(Network, EqualsTorch) {
    const Network network(load_weights(ASR_MODEL_FILE), 1);
    const auto reference = read_reference();
    const auto logits = network.logits(reference.samples);
    ASSERT_EQ(logits.channels, reference.classes);
    ASSERT_EQ(logits.length, reference.frames);
    float worst = 0.0F;
    for (std::size_t i = 0; i < reference.logits.size(); ++i) {
        worst = std::max(worst, std::abs(logits.values()[i] - reference.logits[i]));
    }
    EXPECT_LT(worst, kTolerance);
    RecordProperty("worst_difference", std::to_string(worst));
}

TEST(Network, TheModelIsOfTheSizePromised) {
    const auto weights = load_weights(ASR_MODEL_FILE);
    EXPECT_GE(weights.parameters(), 300'000U);
    EXPECT_LE(weights.parameters(), 500'000U);
    EXPECT_EQ(weights.sample_rate_hz, 16000U);
}

TEST(Network, PaddingChangesTheShapeButHardlyTheLogits) {
    const Network network(load_weights(ASR_MODEL_FILE), 1);
    const auto reference = read_reference();
    const auto padded = network.logits(reference.samples, 64000);
    EXPECT_EQ(padded.length, 200U);
    const auto plain = network.logits(reference.samples);
    const auto& vocabulary = network.weights().vocabulary;
    EXPECT_EQ(collapse(best_path(padded, 0, padded.length), vocabulary),
              collapse(best_path(plain, 0, plain.length), vocabulary));
}

TEST(Network, TakesShortAndConstantInput) {
    const Network network(load_weights(ASR_MODEL_FILE), 1);
    for (const std::size_t length : {1U, 2U, 319U, 320U, 321U}) {
        const std::vector<float> samples(length, 0.25F);
        const auto logits = network.logits(samples);
        EXPECT_EQ(logits.length, (length + 319) / 320);
        for (const float value : logits.values()) EXPECT_TRUE(std::isfinite(value));
    }
}

}  // namespace
}  // namespace asr
