// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A file of the target mapped into the tracer. The mapping needs no descriptor and keeps deleted
// files alive. The target may shorten a file while we read it, which the kernel answers with
// SIGBUS: a handler puts zeros where the file ended, and the parser then sees a damaged file, not a
// crash.
#pragma once

#include <cstddef>
#include <string>

#include "user/base/bytes.h"
#include "user/base/result.h"

namespace asrtrace::symbols {

class MappedFile {
  public:
    /// Maps a whole regular file. `name` is for messages. Errors: not a regular file, empty, too
    /// large (64 GiB), too many files mapped (8192).
    static Result<MappedFile> map(int fd, const std::string& name);
    /// The same, opened by path in our own root, without waiting on pipes or devices.
    static Result<MappedFile> open(const std::string& path);

    MappedFile() = default;
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    Bytes bytes() const { return {data_, size_}; }
    /// True once a read went past the file's new end.
    bool was_shortened() const;
    /// Gives the resident pages back; they come again from the page cache, as the file has them.
    void drop_pages() const;

  private:
    const std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    int slot_ = -1;
};

}  // namespace asrtrace::symbols
