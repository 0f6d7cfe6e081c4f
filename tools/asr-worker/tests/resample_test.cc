// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "audio/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace asr {
namespace {

std::vector<float> tone(double hz, double rate_hz, std::size_t samples) {
    std::vector<float> out(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        out[i] = static_cast<float>(
            std::sin(2.0 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz));
    }
    return out;
}

// Largest value away from the ends, where the filter sees beyond the signal.
float peak_inside(const std::vector<float>& x) {
    float peak = 0.0F;
    for (std::size_t i = x.size() / 4; i < x.size() * 3 / 4; ++i) {
        peak = std::max(peak, std::abs(x[i]));
    }
    return peak;
}

TEST(Resample, KeepsATone) {
    const auto out = resample(tone(1000, 22050, 22050), 22050, 16000);
    ASSERT_EQ(out.size(), 16000U);
    const auto expected = tone(1000, 16000, 16000);
    for (std::size_t i = 4000; i < 12000; ++i) ASSERT_NEAR(out[i], expected[i], 2e-3F) << i;
}

TEST(Resample, RemovesWhatWouldAlias) {
    EXPECT_LT(peak_inside(resample(tone(9500, 22050, 22050), 22050, 16000)), 1e-3F);
}

TEST(Resample, EdgeCases) {
    const std::vector<float> one = {1.0F};
    EXPECT_EQ(resample(one, 16000, 16000), one);
    EXPECT_TRUE(resample({}, 22050, 16000).empty());
    EXPECT_EQ(resample(one, 22050, 16000).size(), 1U);
}

}  // namespace
}  // namespace asr
