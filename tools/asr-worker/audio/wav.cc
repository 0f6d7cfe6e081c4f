// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "audio/wav.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

namespace asr {
namespace {

constexpr std::size_t kRiffHeaderBytes = 12;
constexpr std::size_t kChunkHeaderBytes = 8;
constexpr std::size_t kBlockAlignOffset = 12;  // in the fmt chunk

// Programs that write to a pipe cannot know the length and put a number like this there.
constexpr std::uint32_t kUnknownLength = 0x7ffff000;

template <typename T>
T read_at(std::span<const std::byte> bytes, std::size_t offset) {
    T value{};
    std::memcpy(&value, bytes.subspan(offset, sizeof value).data(), sizeof value);
    return value;
}

bool has_tag(std::span<const std::byte> bytes, std::size_t offset, const char* tag) {
    return bytes.size() >= offset + 4 && std::memcmp(bytes.data() + offset, tag, 4) == 0;
}

struct DataChunk {
    std::uint64_t offset;       ///< of the audio in the file
    std::uint32_t bytes;        ///< as promised
    std::uint16_t block_align;  ///< bytes a frame, 0 if there was no fmt chunk
};

// Walks the RIFF chunks up to `data`; nothing if the bytes end before it or it is no WAV.
std::optional<DataChunk> find_data(std::span<const std::byte> head) {
    if (!has_tag(head, 0, "RIFF") || !has_tag(head, 8, "WAVE")) return std::nullopt;
    std::uint16_t block_align = 0;
    std::uint64_t offset = kRiffHeaderBytes;
    while (offset + kChunkHeaderBytes <= head.size()) {
        const auto at = static_cast<std::size_t>(offset);
        const auto bytes = read_at<std::uint32_t>(head, at + 4);
        const std::size_t body = at + kChunkHeaderBytes;
        if (has_tag(head, at, "data")) return DataChunk{body, bytes, block_align};
        if (has_tag(head, at, "fmt ") && head.size() >= body + kBlockAlignOffset + 2) {
            block_align = read_at<std::uint16_t>(head, body + kBlockAlignOffset);
        }
        offset = std::uint64_t{body} + bytes + (bytes & 1);  // chunks are padded to even lengths
    }
    return std::nullopt;
}

// What libsndfile reads from.
struct MemoryFile {
    std::span<const std::byte> bytes;
    sf_count_t position = 0;
};

sf_count_t memory_length(void* user) {
    return static_cast<sf_count_t>(static_cast<MemoryFile*>(user)->bytes.size());
}

sf_count_t memory_seek(sf_count_t offset, int whence, void* user) {
    auto* file = static_cast<MemoryFile*>(user);
    sf_count_t base = 0;
    if (whence == SEEK_CUR) base = file->position;
    if (whence == SEEK_END) base = memory_length(user);
    if (offset < -base || offset > memory_length(user) - base) return -1;
    file->position = base + offset;
    return file->position;
}

sf_count_t memory_read(void* target, sf_count_t count, void* user) {
    auto* file = static_cast<MemoryFile*>(user);
    const sf_count_t got = std::clamp<sf_count_t>(count, 0, memory_length(user) - file->position);
    if (got > 0) {
        std::memcpy(target, file->bytes.data() + file->position, static_cast<std::size_t>(got));
    }
    file->position += got;
    return got;
}

sf_count_t memory_write(const void*, sf_count_t, void*) {
    return 0;
}

sf_count_t memory_tell(void* user) {
    return static_cast<MemoryFile*>(user)->position;
}

// Messages for the client come before libsndfile's, whose wording is meant for programmers.
void check_container(std::span<const std::byte> file) {
    if (file.empty()) throw AudioError("the uploaded file is empty");
    if (!has_tag(file, 0, "RIFF") || !has_tag(file, 8, "WAVE")) {
        throw AudioError("not a WAV file (no RIFF/WAVE header)");
    }
    const auto data = find_data(file);
    if (!data) throw AudioError("the WAV header is cut short (no data chunk)");
    const std::uint64_t present = file.size() - data->offset;
    if (data->bytes < kUnknownLength && data->bytes > present) {
        throw AudioError("the WAV file is cut short: its header promises " +
                         std::to_string(data->bytes) + " bytes of audio, " +
                         std::to_string(present) + " are there");
    }
}

void check_format(const SF_INFO& info, std::uint32_t sample_rate_hz, std::uint64_t max_frames) {
    const int container = info.format & SF_FORMAT_TYPEMASK;
    if (container != SF_FORMAT_WAV && container != SF_FORMAT_WAVEX) {
        throw AudioError("not a WAV file");
    }
    if (info.samplerate != static_cast<int>(sample_rate_hz)) {
        throw AudioError("the sample rate is " + std::to_string(info.samplerate) + " Hz, " +
                         std::to_string(sample_rate_hz) + " Hz is required");
    }
    if (info.channels != 1) {
        throw AudioError("the file has " + std::to_string(info.channels) +
                         " channels, mono is required");
    }
    if (info.frames <= 0) throw AudioError("the WAV file holds no audio (0 frames)");
    if (static_cast<std::uint64_t>(info.frames) > max_frames) {
        throw AudioTooLong("the audio has " + std::to_string(info.frames) + " frames, at most " +
                           std::to_string(max_frames) + " are accepted");
    }
}

}  // namespace

std::uint64_t peek_wav_frames(std::span<const std::byte> head, std::uint64_t file_bytes) {
    const auto data = find_data(head);
    if (!data || data->block_align == 0 || data->offset > file_bytes) return 0;
    return std::min<std::uint64_t>(data->bytes, file_bytes - data->offset) / data->block_align;
}

std::vector<float> decode_wav(std::span<const std::byte> file, std::uint32_t sample_rate_hz,
                              std::uint64_t max_frames) {
    check_container(file);
    MemoryFile memory{file};
    SF_VIRTUAL_IO io{memory_length, memory_seek, memory_read, memory_write, memory_tell};
    SF_INFO info{};
    const std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> handle(
        sf_open_virtual(&io, SFM_READ, &info, &memory), sf_close);
    if (!handle) throw AudioError(std::string("unreadable WAV file: ") + sf_strerror(nullptr));
    check_format(info, sample_rate_hz, max_frames);

    std::vector<float> samples(static_cast<std::size_t>(info.frames));
    const sf_count_t got = sf_readf_float(handle.get(), samples.data(), info.frames);
    if (got != info.frames) {
        throw AudioError("the WAV file is damaged: " + std::to_string(got) + " of " +
                         std::to_string(info.frames) + " frames could be decoded");
    }
    // Samples far outside of -1..1 would overflow in the network as surely as infinities.
    const auto usable = [](float x) { return std::isfinite(x) && std::abs(x) < 1e6F; };
    if (!std::all_of(samples.begin(), samples.end(), usable)) {
        throw AudioError("the WAV file holds samples that are no numbers or far out of range");
    }
    return samples;
}

}  // namespace asr
