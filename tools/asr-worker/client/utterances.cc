// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "client/utterances.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace asr {
namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return bytes;
}

}  // namespace

std::vector<RecordedUtterance> read_utterances(const std::filesystem::path& directory) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        auto transcript = entry.path();
        transcript.replace_extension(".txt");
        if (entry.path().extension() == ".wav" && std::filesystem::exists(transcript)) {
            paths.push_back(entry.path());
        }
    }
    if (paths.empty()) {
        throw std::runtime_error("no x.wav with an x.txt in " + directory.string() +
                                 " (asr-speak makes some)");
    }
    std::sort(paths.begin(), paths.end());
    std::vector<RecordedUtterance> out;
    out.reserve(paths.size());
    for (auto& path : paths) {
        auto wav = read_file(path);
        auto transcript = read_file(path.replace_extension(".txt"));
        transcript.erase(transcript.find_last_not_of(" \r\n") + 1);
        out.push_back({path.stem().string(), std::move(wav), std::move(transcript)});
    }
    return out;
}

}  // namespace asr
