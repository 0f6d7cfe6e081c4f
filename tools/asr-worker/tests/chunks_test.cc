// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Expectations computed by hand from transformers' chunk_iter and rescale_stride.
#include "audio/chunks.h"

#include <gtest/gtest.h>

#include <string>

namespace asr {
namespace {

constexpr std::size_t kFrame = 10;

std::string plan(std::size_t samples, const Chunking& chunking) {
    std::string out;
    for (const auto& chunk : plan_chunks(samples, chunking, kFrame)) {
        out += std::to_string(chunk.first_sample) + "+" + std::to_string(chunk.samples);
        if (chunk.padded_samples != chunk.samples) {
            out += "/" + std::to_string(chunk.padded_samples);
        }
        out +=
            "[" + std::to_string(chunk.first_frame) + "," + std::to_string(chunk.last_frame) + ") ";
    }
    return out;
}

TEST(Chunks, DropsStridesInside) {
    // chunk_len 100, stride 20: step 60; the chunk at 120 reaches 220 > 200 and is the last.
    EXPECT_EQ(plan(200, {100, 20, 0}), "0+100[0,8) 60+100[2,8) 120+80[2,8) ");
}

TEST(Chunks, TheLastChunkMustReachBeyondTheEndIfThereIsARightStride) {
    // The chunk at 60 ends at 160 exactly: its right stride is full, so one more follows.
    EXPECT_EQ(plan(160, {100, 20, 0}), "0+100[0,8) 60+100[2,8) 120+40[2,4) ");
    EXPECT_EQ(plan(159, {100, 20, 0}), "0+100[0,8) 60+99[2,10) ");
}

TEST(Chunks, WithoutStrideTheEndIsEnough) {
    EXPECT_EQ(plan(200, {100, 0, 0}), "0+100[0,10) 100+100[0,10) ");
    EXPECT_EQ(plan(201, {100, 0, 0}), "0+100[0,10) 100+100[0,10) 200+1[0,1) ");
}

TEST(Chunks, ShortAudioIsOneChunkWithBothSides) {
    EXPECT_EQ(plan(55, {100, 20, 0}), "0+55[0,6) ");
    EXPECT_EQ(plan(1, {100, 20, 0}), "0+1[0,1) ");
    EXPECT_EQ(plan(0, {100, 20, 0}), "");
}

TEST(Chunks, WholeFile) {
    EXPECT_EQ(plan(123456, {0, 0, 0}), "0+123456[0,12346) ");
    EXPECT_EQ(plan(95, {0, 0, 50}), "0+95/100[0,10) ");
}

TEST(Chunks, PadsOnlyTheTailAndNotBeyondAChunk) {
    EXPECT_EQ(plan(200, {100, 20, 30}), "0+100[0,8) 60+100[2,8) 120+80/90[2,8) ");
    EXPECT_EQ(plan(95, {100, 20, 30}), "0+95/100[0,10) ");
}

TEST(Chunks, KeptFramesCoverTheAudioOnce) {
    for (std::size_t chunk = 30; chunk <= 90; chunk += 10) {
        for (std::size_t stride = 0; 2 * stride < chunk; stride += 10) {
            for (std::size_t samples = 1; samples < 400; ++samples) {
                std::size_t next = 0;
                for (const auto& c : plan_chunks(samples, {chunk, stride, 20}, kFrame)) {
                    ASSERT_EQ(c.first_sample / kFrame + c.first_frame, next);
                    ASSERT_LT(c.first_frame, c.last_frame);
                    ASSERT_LE(c.first_sample + c.samples, samples);
                    next += c.last_frame - c.first_frame;
                }
                ASSERT_EQ(next, (samples + kFrame - 1) / kFrame) << chunk << ' ' << stride;
            }
        }
    }
}

TEST(Chunks, RoundsToFramesAsThePipelineDoes) {
    // int(round(s * 16000 / 320) * 320); halves go to the even neighbour.
    EXPECT_EQ(make_chunking(10, 10.0 / 6, 0, 16000, 320).stride_samples, 26560U);
    EXPECT_EQ(make_chunking(0.05, 0, 0, 16000, 320).chunk_samples, 640U);   // 2.5 frames -> 2
    EXPECT_EQ(make_chunking(0.07, 0, 0, 16000, 320).chunk_samples, 1280U);  // 3.5 frames -> 4
}

TEST(Chunks, RefusesWhatCannotBe) {
    EXPECT_THROW(make_chunking(2, 1, 0, 16000, 320), ChunkingError);
    EXPECT_THROW(make_chunking(-1, 0, 0, 16000, 320), ChunkingError);
    EXPECT_THROW(make_chunking(1, 1e300, 0, 16000, 320), ChunkingError);
}

}  // namespace
}  // namespace asr
