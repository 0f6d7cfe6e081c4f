// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kMaxRead = 64ULL << 20;
constexpr std::uint64_t kPiece = 1ULL << 20;

bool read_fully(int fd, std::uint64_t offset, std::uint8_t* out, std::size_t length) {
    while (length > 0) {
        const ssize_t got = ::pread(fd, out, length, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        out += got;
        offset += static_cast<std::uint64_t>(got);
        length -= static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace

Result<ByteSource> ByteSource::open(const std::string& path) {
    struct stat info {};
    // Before the open: opening a device or a FIFO is already an act.
    if (::stat(path.c_str(), &info) != 0) return errno_error(path);
    if (!S_ISREG(info.st_mode)) return Error{path + ": not a regular file"};
    ByteSource source;
    source.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!source.fd_.valid() || ::fstat(source.fd_.get(), &info) != 0) return errno_error(path);
    if (!S_ISREG(info.st_mode)) return Error{path + ": not a regular file"};
    source.size_ = static_cast<std::uint64_t>(info.st_size);
    return source;
}

ByteSource ByteSource::from_bytes(std::vector<std::uint8_t> bytes) {
    ByteSource source;
    source.size_ = bytes.size();
    source.memory_ = std::move(bytes);
    return source;
}

std::optional<std::vector<std::uint8_t>> ByteSource::read(std::uint64_t offset,
                                                          std::uint64_t length) const {
    if (length > kMaxRead || offset > size_ || size_ - offset < length) return std::nullopt;
    if (!fd_.valid()) {
        const auto part = slice_at(memory_, offset, length);
        if (!part) return std::nullopt;
        return std::vector<std::uint8_t>(part->begin(), part->end());
    }
    std::vector<std::uint8_t> bytes(length);
    if (!read_fully(fd_.get(), offset, bytes.data(), bytes.size())) {
        failed_ = true;
        return std::nullopt;
    }
    return bytes;
}

void ByteSource::stream(std::uint64_t offset, std::uint64_t length, std::uint64_t overlap,
                        const std::function<bool(std::uint64_t, Bytes)>& visit) const {
    if (offset >= size_) return;
    const std::uint64_t end = offset + std::min(length, size_ - offset);
    while (offset < end) {
        const auto piece = read(offset, std::min(kPiece, end - offset));
        if (!piece || !visit(offset, *piece) || offset + piece->size() >= end) return;
        offset += piece->size() - std::min<std::uint64_t>(overlap, piece->size() / 2);
    }
}

}  // namespace asrtrace::capture
