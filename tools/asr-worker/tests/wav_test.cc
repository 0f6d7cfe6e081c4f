// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "audio/wav.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/wav_bytes.h"

namespace asr {
namespace {

using test::bytes_of;
using test::pcm16;
using test::wav_bytes;

constexpr std::uint32_t kRate = 16000;
constexpr std::uint64_t kMaxFrames = 1000;

std::vector<float> decode(const std::string& file) {
    return decode_wav(bytes_of(file), kRate, kMaxFrames);
}

std::string error_of(const std::string& file) {
    try {
        decode(file);
    } catch (const AudioError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Wav, DecodesPcm16) {
    const auto samples = decode(wav_bytes(pcm16({0, 16384, -32768, 8192})));
    EXPECT_EQ(samples, (std::vector<float>{0.0F, 0.5F, -1.0F, 0.25F}));
}

TEST(Wav, DecodesFloat) {
    std::string audio;
    for (const float value : {0.25F, -0.5F}) test::append(audio, value);
    EXPECT_EQ(decode(wav_bytes(audio, {.format = 3, .bits = 32})),
              (std::vector<float>{0.25F, -0.5F}));
}

TEST(Wav, ReadsWhatIsThereOfAStreamOfUnknownLength) {
    EXPECT_EQ(decode(wav_bytes(pcm16({1, 2, 3}), {.data_bytes = 0x7ffff000})).size(), 3U);
}

TEST(Wav, RefusesWhatIsNoWav) {
    EXPECT_EQ(error_of(""), "the uploaded file is empty");
    EXPECT_EQ(error_of("hello"), "not a WAV file (no RIFF/WAVE header)");
    EXPECT_EQ(error_of("RIFF\1\1\1\1AVI LIST"), "not a WAV file (no RIFF/WAVE header)");
}

TEST(Wav, RefusesEveryCutHeader) {
    const auto whole = wav_bytes(pcm16({1, 2, 3}));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_THROW(decode(whole.substr(0, length)), AudioError) << length;
    }
}

TEST(Wav, RefusesCutAudio) {
    const auto whole = wav_bytes(pcm16({1, 2, 3}));
    EXPECT_EQ(error_of(whole.substr(0, whole.size() - 2)),
              "the WAV file is cut short: its header promises 6 bytes of audio, 4 are there");
}

TEST(Wav, RefusesOtherShapes) {
    const auto audio = pcm16({1, 2, 3, 4});
    EXPECT_EQ(error_of(wav_bytes(audio, {.sample_rate_hz = 44100})),
              "the sample rate is 44100 Hz, 16000 Hz is required");
    EXPECT_EQ(error_of(wav_bytes(audio, {.channels = 2})),
              "the file has 2 channels, mono is required");
    EXPECT_EQ(error_of(wav_bytes("")), "the WAV file holds no audio (0 frames)");
}

TEST(Wav, RefusesUnknownCodecsAndZeroFields) {
    const auto audio = pcm16({1, 2, 3, 4});
    EXPECT_THROW(decode(wav_bytes(audio, {.format = 0x4242})), AudioError);
    EXPECT_THROW(decode(wav_bytes(audio, {.channels = 0})), AudioError);
    EXPECT_THROW(decode(wav_bytes(audio, {.sample_rate_hz = 0})), AudioError);
    EXPECT_THROW(decode(wav_bytes(audio, {.bits = 0})), AudioError);
}

TEST(Wav, RefusesSamplesThatAreNoNumbers) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
        std::string audio;
        test::append(audio, 0.5F);
        test::append(audio, bad);
        EXPECT_THROW(decode(wav_bytes(audio, {.format = 3, .bits = 32})), AudioError);
    }
}

TEST(Wav, TellsTooLongApart) {
    EXPECT_NO_THROW(decode(test::wav_of_length(kMaxFrames)));
    EXPECT_THROW(decode(test::wav_of_length(kMaxFrames + 1)), AudioTooLong);
}

TEST(Wav, PeeksFrames) {
    const auto whole = wav_bytes(pcm16({1, 2, 3, 4, 5}));
    EXPECT_EQ(peek_wav_frames(bytes_of(whole.substr(0, 44)), whole.size()), 5U);
    EXPECT_EQ(peek_wav_frames(bytes_of(whole.substr(0, 43)), whole.size()), 0U);
    EXPECT_EQ(peek_wav_frames(bytes_of(whole), whole.size() - 4), 3U) << "no more than fits";
    EXPECT_EQ(peek_wav_frames(bytes_of("RIFF"), 4), 0U);
    EXPECT_EQ(peek_wav_frames({}, 0), 0U);
    EXPECT_EQ(peek_wav_frames(bytes_of(wav_bytes("abcd", {.channels = 0})), 100), 0U);
}

}  // namespace
}  // namespace asr
