// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "net/weights.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/wav_bytes.h"

namespace asr {
namespace {

using test::append;
using test::bytes_of;

// A small valid file: 1 -> 2 channels with stride 2, then 2 -> 3 classes; the frame is 2 samples.
struct FileParts {
    std::string magic = "ASRNET\r\n";
    std::uint32_t version = 1;
    std::uint32_t frame = 2;
    std::uint32_t classes = 3;
    std::uint32_t layer_count = 2;
    std::uint32_t second_in = 2;
    std::uint32_t pad = 0;
    std::uint32_t kind = 0;
    float weight = 0.5F;
    std::string behind = {};

    std::string bytes() const {
        std::string out = magic;
        for (const std::uint32_t value : {version, 16000U, frame, classes, layer_count}) {
            append(out, value);
        }
        out += "_ab";
        for (const std::uint32_t value : {kind, 2U, 1U, 2U, 2U, 1U, pad, 0U}) append(out, value);
        for (int i = 0; i < 4 + 2; ++i) append(out, weight);
        for (const std::uint32_t value : {2U, 3U, second_in, 1U, 1U, 1U, 0U, 0U}) {
            append(out, value);
        }
        for (int i = 0; i < 6 + 3; ++i) append(out, weight);
        out += behind;
        append(out, crc32(bytes_of(out)));
        return out;
    }
};

std::string refusal_of(const FileParts& parts) {
    try {
        const auto bytes = parts.bytes();
        parse_weights(bytes_of(bytes));
    } catch (const WeightsError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Weights, Crc32IsZlibs) {
    EXPECT_EQ(crc32(bytes_of("123456789")), 0xcbf43926U);
}

TEST(Weights, ReadsAValidFile) {
    const auto bytes = FileParts{}.bytes();
    const auto weights = parse_weights(bytes_of(bytes));
    EXPECT_EQ(weights.frame_samples, 2U);
    EXPECT_EQ(weights.vocabulary, "_ab");
    ASSERT_EQ(weights.layers.size(), 2U);
    EXPECT_EQ(weights.layers[1].out, 3U);
    EXPECT_EQ(weights.parameters(), 15U);
}

TEST(Weights, RefusesEveryTruncation) {
    const auto bytes = FileParts{}.bytes();
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        EXPECT_THROW(parse_weights(bytes_of(bytes).first(length)), WeightsError) << length;
    }
}

TEST(Weights, RefusesEveryFlippedBit) {
    const auto good = FileParts{}.bytes();
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_THROW(parse_weights(bytes_of(bad)), WeightsError) << bit;
    }
}

TEST(Weights, NamesWhatIsWrong) {
    EXPECT_EQ(refusal_of({.magic = "GIF89a.."}), "this is no weights file (wrong magic)");
    EXPECT_EQ(refusal_of({.version = 2}), "version 2, this program reads version 1");
    EXPECT_EQ(refusal_of({.frame = 4}), "the strides do not multiply to the frame");
    EXPECT_EQ(refusal_of({.layer_count = 0}), "the header makes no sense");
    EXPECT_EQ(refusal_of({.layer_count = 1}), "there are bytes behind the last layer");
    EXPECT_EQ(refusal_of({.layer_count = 3}), "the file ends too early");
    EXPECT_EQ(refusal_of({.pad = 1}), "a layer's padding does not fit its kernel and stride");
    EXPECT_EQ(refusal_of({.kind = 9}), "unknown kind of layer 9");
    EXPECT_EQ(refusal_of({.kind = 1}), "a residual layer changes the shape");
    EXPECT_EQ(refusal_of({.weight = std::numeric_limits<float>::infinity()}),
              "a weight is not a finite number");
    EXPECT_EQ(refusal_of({.behind = "x"}), "there are bytes behind the last layer");
}

TEST(Weights, RefusesHugeCountsWithoutAskingForMemory) {
    EXPECT_EQ(refusal_of({.second_in = 65536}), "the file ends too early");
}

TEST(Weights, NamesTheFile) {
    try {
        load_weights("/nonexistent/model.asrnet");
        FAIL();
    } catch (const WeightsError& error) {
        EXPECT_STREQ(error.what(), "cannot open the model /nonexistent/model.asrnet");
    }
}

}  // namespace
}  // namespace asr
