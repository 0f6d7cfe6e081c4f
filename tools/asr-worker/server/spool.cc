// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/spool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace asr {
namespace {

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int nameless_file() {
    const char* chosen = std::getenv("TMPDIR");
    std::string path = std::string(chosen != nullptr ? chosen : "/tmp") + "/asr-upload-XXXXXX";
    // Not O_TMPFILE: not every file system knows it.
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) fail("no file for the upload");
    unlink(path.c_str());
    return fd;
}

void write_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const auto written = write(fd, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail("the upload cannot be stored");
        data += written;
        size -= static_cast<std::size_t>(written);
    }
}

}  // namespace

Spool::~Spool() {
    unmap();
    if (file_ >= 0) close(file_);
}

void Spool::unmap() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
    mapped_ = nullptr;
}

void Spool::append(const char* data, std::size_t size) {
    unmap();
    if (!on_disk() && size_ + size > most_in_memory_) {
        file_ = nameless_file();
        write_all(file_, memory_.data(), memory_.size());
        memory_ = {};
    }
    if (on_disk()) {
        write_all(file_, data, size);
    } else {
        memory_.append(data, size);
    }
    size_ += size;
}

std::span<const std::byte> Spool::bytes() {
    if (!on_disk()) return std::as_bytes(std::span(memory_));
    if (mapped_ == nullptr) {
        void* at = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_, 0);
        if (at == MAP_FAILED) fail("the stored upload cannot be mapped");
        mapped_ = at;
        mapped_bytes_ = size_;
    }
    return {static_cast<const std::byte*>(mapped_), size_};
}

}  // namespace asr
