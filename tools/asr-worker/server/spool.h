// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Bytes that arrive piece by piece: in memory up to a threshold, beyond it in a nameless file, as
// web frameworks keep uploads.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace asr {

class Spool {
  public:
    /// More than `most_in_memory` bytes go to a file in TMPDIR or /tmp.
    explicit Spool(std::size_t most_in_memory) : most_in_memory_(most_in_memory) {}
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;
    ~Spool();

    /// Throws std::system_error where the file cannot be made or written.
    void append(const char* data, std::size_t size);
    std::size_t size() const { return size_; }
    bool on_disk() const { return file_ >= 0; }

    /// All of it, mapped if it is on disk; valid until the next append. Throws std::system_error.
    std::span<const std::byte> bytes();

  private:
    void unmap();

    std::size_t most_in_memory_;
    std::size_t size_ = 0;
    std::string memory_;
    int file_ = -1;
    void* mapped_ = nullptr;
    std::size_t mapped_bytes_ = 0;
};

}  // namespace asr
