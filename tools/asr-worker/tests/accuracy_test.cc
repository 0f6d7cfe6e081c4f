// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What the worker understands of voices that training never heard: asr-speak makes the speech,
// asr-load's code posts it and counts.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "client/load.h"
#include "tests/worker_process.h"

namespace asr {
namespace {

constexpr double kMaxCharacterErrorRate = 0.12;
constexpr double kMinWordAccuracy = 0.70;

class Speech {
  public:
    explicit Speech(const std::vector<std::string>& arguments) {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "asr-speech-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        directory_ = pattern;
        std::vector<std::string> command = {ASR_SPEAK_BINARY, "--out", directory_.string()};
        command.insert(command.end(), arguments.begin(), arguments.end());
        if (test::run_program(command) != 0) {
            throw std::runtime_error("asr-speak failed (is espeak-ng installed?)");
        }
    }
    Speech(const Speech&) = delete;
    Speech& operator=(const Speech&) = delete;
    ~Speech() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    const std::filesystem::path& directory() const { return directory_; }

  private:
    std::filesystem::path directory_;
};

Score score_of(const Speech& speech, const std::vector<std::string>& worker_arguments) {
    const test::WorkerProcess worker(worker_arguments);
    const auto utterances = read_utterances(speech.directory());
    LoadPlan plan;
    plan.port = worker.port();
    plan.requests = utterances.size();
    plan.concurrency = 2;
    const auto result = run_load(plan, utterances);
    EXPECT_EQ(result.failed(), 0U) << result.first_error;
    std::printf("CER %.4f, word accuracy %.4f, %zu words, p50 %.1f ms\n",
                result.score.character_error_rate(), result.score.word_accuracy(),
                result.score.words, result.latency_ms(50));
    return result.score;
}

void expect_understood(const Score& score) {
    EXPECT_LE(score.character_error_rate(), kMaxCharacterErrorRate);
    EXPECT_GE(score.word_accuracy(), kMinWordAccuracy);
}

TEST(Accuracy, HeldOutVoices) {
    const Speech speech({"--voices", "heldout", "--count", "120", "--seed", "4711", "--min-seconds",
                         "0.5", "--max-seconds", "6"});
    expect_understood(score_of(speech, {}));
    expect_understood(score_of(speech, {"--whole-file"}));
}

TEST(Accuracy, LongAudioInChunks) {
    const Speech speech({"--voices", "heldout", "--count", "8", "--seed", "4712", "--min-seconds",
                         "15", "--max-seconds", "25"});
    expect_understood(score_of(speech, {}));
    expect_understood(score_of(speech, {"--chunk-seconds", "10", "--stride-seconds", "2"}));
}

}  // namespace
}  // namespace asr
