// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/mini_debug.h"

#include <lzma.h>

#include <algorithm>
#include <utility>

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kMaxUnpackedBytes = std::size_t{64} << 20U;
constexpr std::uint64_t kMaxDecoderBytes = std::uint64_t{64} << 20U;

struct Decoder {
    lzma_stream stream = LZMA_STREAM_INIT;
    Decoder() = default;
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    ~Decoder() { lzma_end(&stream); }
};

Result<std::vector<std::uint8_t>> inflate_xz(Bytes input, const std::string& name) {
    Decoder decoder;
    if (lzma_stream_decoder(&decoder.stream, kMaxDecoderBytes, 0) != LZMA_OK) {
        return Error{name + ": cannot start the xz decoder"};
    }
    std::vector<std::uint8_t> output(
        std::min(kMaxUnpackedBytes, std::max<std::size_t>(4096, input.size() * 4)));
    decoder.stream.next_in = input.data();
    decoder.stream.avail_in = input.size();
    for (std::size_t used = 0;;) {
        decoder.stream.next_out = output.data() + used;
        decoder.stream.avail_out = output.size() - used;
        const lzma_ret status = lzma_code(&decoder.stream, LZMA_FINISH);
        used = output.size() - decoder.stream.avail_out;
        if (status == LZMA_STREAM_END) {
            output.resize(used);
            output.shrink_to_fit();
            return output;
        }
        if ((status != LZMA_OK && status != LZMA_BUF_ERROR) || decoder.stream.avail_out != 0) {
            return Error{name + ": .gnu_debugdata is damaged"};
        }
        if (output.size() >= kMaxUnpackedBytes) {
            return Error{name + ": .gnu_debugdata inflates to more than 64 MiB"};
        }
        output.resize(std::min(kMaxUnpackedBytes, output.size() * 2));
    }
}

}  // namespace

Result<std::unique_ptr<ElfImage>> open_mini_debug(const ElfImage& image) {
    const Bytes section = image.section_bytes(".gnu_debugdata");
    if (section.empty()) return std::unique_ptr<ElfImage>();
    auto inflated = inflate_xz(section, image.name());
    if (!inflated) return inflated.error();
    auto opened = ElfImage::open(std::move(*inflated), image.name() + " (.gnu_debugdata)");
    if (!opened) return opened.error();
    return std::make_unique<ElfImage>(std::move(*opened));
}

}  // namespace asrtrace::symbols
