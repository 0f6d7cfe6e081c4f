// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A file of the target, held by a descriptor from when it is looked at until no probe can go there
// any more. Its names lead elsewhere in time: a package is upgraded, a container swaps its library,
// the target ends and its root with it. Offsets that were read in one file are the middle of an
// instruction in another, and a breakpoint there ends whoever runs into it.
#pragma once

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include "user/base/fd.h"
#include "user/base/result.h"

namespace asrtrace::capture {

/// Which file, and what is in it as far as that is told without reading.
struct FileVersion {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size_bytes = 0;
    std::int64_t modified_ns = 0;

    FileVersion() = default;
    explicit FileVersion(const struct stat& status);
    auto operator<=>(const FileVersion&) const = default;
    bool same_file(const FileVersion& other) const {
        return device == other.device && inode == other.inode;
    }
};

class ModuleFile {
  public:
    /// Error: there is none, or it is no regular file.
    static Result<std::shared_ptr<const ModuleFile>> open(const std::string& name);

    /// What it was opened by; for people.
    const std::string& name() const { return name_; }
    /// Leads to it and to nothing else, for this process and for the kernel on its behalf; also
    /// when the file has no name any more.
    const std::string& path() const { return path_; }
    const FileVersion& version() const { return version_; }
    /// Error: it has been written to since it was opened.
    Status check_unchanged() const;
    /// It had a name when it was opened and has none any more: what starts from now on maps
    /// another file, or none.
    bool has_lost_its_name() const;

  private:
    ModuleFile(UniqueFd fd, std::string name, const struct stat& status);

    UniqueFd fd_;
    std::string name_;
    std::string path_;
    FileVersion version_;
    bool had_a_name_;
};

}  // namespace asrtrace::capture
