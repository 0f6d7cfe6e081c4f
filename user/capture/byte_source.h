// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where a module's bytes come from: a file of the target, or memory in tests and fuzzers. Files are
// read by pread and never mapped: a target that truncates its library under us would kill the
// tracer with SIGBUS.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "user/base/bytes.h"
#include "user/base/fd.h"
#include "user/base/result.h"

namespace asrtrace::capture {

class ByteSource {
  public:
    /// Error: cannot be opened, or is no regular file (a device or a pipe could block or act).
    static Result<ByteSource> open(const std::string& path);
    static ByteSource from_bytes(std::vector<std::uint8_t> bytes);

    std::uint64_t size() const { return size_; }
    /// A read of bytes that the file has, or had when it was opened, failed: what was concluded
    /// from what is missing may be wrong.
    bool failed() const { return failed_; }

    /// Exactly [offset, offset + length), or nothing: past the end, above 64 MiB, or a failed read.
    std::optional<std::vector<std::uint8_t>> read(std::uint64_t offset, std::uint64_t length) const;

    /// A fixed-size value in native byte order.
    template <typename T>
    std::optional<T> value(std::uint64_t offset) const {
        const auto bytes = read(offset, sizeof(T));
        return bytes ? read_at<T>(*bytes, 0) : std::nullopt;
    }

    /// Hands [offset, offset + length) over in pieces of up to 1 MiB; a piece begins with the last
    /// `overlap` bytes of the one before. Stops when `visit` returns false or a read fails.
    void stream(std::uint64_t offset, std::uint64_t length, std::uint64_t overlap,
                const std::function<bool(std::uint64_t offset, Bytes piece)>& visit) const;

  private:
    UniqueFd fd_;
    std::vector<std::uint8_t> memory_;
    std::uint64_t size_ = 0;
    mutable bool failed_ = false;
};

}  // namespace asrtrace::capture
