// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// asr-speak: has espeak-ng say random digit strings and writes them as 16 kHz mono 16-bit WAV
// files, each with its transcript beside it (0000.wav, 0000.txt, ...) and one manifest.tsv for all.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sndfile.hh>
#include <stdexcept>
#include <string>
#include <vector>

#include "audio/resample.h"
#include "speak/speak_plan.h"

namespace {

constexpr std::uint32_t kSampleRate = 16000;

void run_espeak(const asr::Utterance& utterance, const std::filesystem::path& wav) {
    std::vector<std::string> words = {"espeak-ng",
                                      "-v",
                                      utterance.voice,
                                      "-s",
                                      std::to_string(utterance.words_per_minute),
                                      "-p",
                                      std::to_string(utterance.pitch),
                                      "-g",
                                      std::to_string(utterance.word_gap_10ms),
                                      "-w",
                                      wav.string(),
                                      utterance.spoken};
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    if (const int error = posix_spawnp(&pid, "espeak-ng", nullptr, nullptr, argv.data(), environ)) {
        throw std::runtime_error("cannot start espeak-ng: " + std::string(strerror(error)) +
                                 " (install the package espeak-ng)");
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error("espeak-ng failed for voice " + utterance.voice);
    }
}

std::vector<float> read_speech(const std::filesystem::path& wav) {
    SndfileHandle file(wav.string());
    if (file.error() != SF_ERR_NO_ERROR || file.channels() != 1 || file.samplerate() <= 0) {
        throw std::runtime_error("espeak-ng wrote no usable " + wav.string());
    }
    std::vector<float> samples(static_cast<std::size_t>(file.frames()));
    file.read(samples.data(), file.frames());
    return asr::resample(samples, static_cast<std::uint32_t>(file.samplerate()), kSampleRate);
}

/// Writes the WAV, returns its length in seconds.
double write_speech(const std::vector<float>& speech, const asr::Utterance& utterance,
                    const std::filesystem::path& wav) {
    const auto lead = static_cast<std::size_t>(utterance.lead_silence_ms) * kSampleRate / 1000;
    const auto trail = static_cast<std::size_t>(utterance.trail_silence_ms) * kSampleRate / 1000;
    std::vector<float> samples(lead, 0.0F);
    samples.insert(samples.end(), speech.begin(), speech.end());
    samples.insert(samples.end(), trail, 0.0F);
    SndfileHandle file(wav.string(), SFM_WRITE, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, kSampleRate);
    file.command(SFC_SET_CLIPPING, nullptr, SF_TRUE);
    if (file.write(samples.data(), static_cast<sf_count_t>(samples.size())) !=
        static_cast<sf_count_t>(samples.size())) {
        throw std::runtime_error("cannot write " + wav.string());
    }
    return static_cast<double>(samples.size()) / kSampleRate;
}

void speak_all(const asr::SpeakPlan& plan, const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    std::ofstream manifest(directory / "manifest.tsv");
    const auto raw = directory / ".espeak.wav";
    std::size_t index = 0;
    double total_seconds = 0.0;
    for (const auto& utterance : asr::draw_utterances(plan)) {
        char name[32];
        std::snprintf(name, sizeof name, "%05zu", index++);
        run_espeak(utterance, raw);
        const auto wav = directory / (std::string(name) + ".wav");
        const double seconds = write_speech(read_speech(raw), utterance, wav);
        std::ofstream(directory / (std::string(name) + ".txt")) << utterance.text << '\n';
        manifest << name << ".wav\t" << utterance.voice << '\t' << utterance.words_per_minute
                 << '\t' << utterance.pitch << '\t' << seconds << '\t' << utterance.text << '\n';
        total_seconds += seconds;
    }
    std::filesystem::remove(raw);
    if (!manifest.flush()) throw std::runtime_error("cannot write to " + directory.string());
    std::printf("%zu utterances, %.1f s of speech in %s\n", index, total_seconds,
                directory.c_str());
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "asr-speak: spoken digit strings by espeak-ng as 16 kHz WAV files with transcripts"};
    std::string directory;
    asr::SpeakPlan plan;
    const std::map<std::string, asr::VoiceSet> sets = {{"train", asr::VoiceSet::kTrain},
                                                       {"heldout", asr::VoiceSet::kHeldOut},
                                                       {"all", asr::VoiceSet::kAll}};
    app.add_option("--out", directory, "directory to write to (created)")->required();
    app.add_option("--count", plan.count, "how many utterances")->capture_default_str();
    app.add_option("--seed", plan.seed, "the same seed gives the same files")
        ->capture_default_str();
    app.add_option("--min-seconds", plan.min_seconds, "about the shortest")->capture_default_str();
    app.add_option("--max-seconds", plan.max_seconds, "about the longest")->capture_default_str();
    app.add_option("--voices", plan.voices, "train, heldout or all (half held out)")
        ->transform(CLI::CheckedTransformer(sets));
    CLI11_PARSE(app, argc, argv);
    try {
        speak_all(plan, directory);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "asr-speak: %s\n", error.what());
        return 2;
    }
    return 0;
}
