// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A directory of WAV files with their transcripts beside them (x.wav, x.txt), as asr-speak writes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace asr {

struct RecordedUtterance {
    std::string name;
    std::string wav;         ///< the file's bytes
    std::string transcript;  ///< one line, without its end
};

/// All *.wav of the directory that have a transcript, by name. Throws std::runtime_error if there
/// are none or one cannot be read.
std::vector<RecordedUtterance> read_utterances(const std::filesystem::path& directory);

}  // namespace asr
