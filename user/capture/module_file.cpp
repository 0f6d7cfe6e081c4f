// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/module_file.h"

#include <fcntl.h>

#include <utility>

namespace asrtrace::capture {

FileVersion::FileVersion(const struct stat& status)
    : device(status.st_dev),
      inode(status.st_ino),
      size_bytes(status.st_size),
      modified_ns(std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec) {}

ModuleFile::ModuleFile(UniqueFd fd, std::string name, const struct stat& status)
    : fd_(std::move(fd)),
      name_(std::move(name)),
      path_("/proc/self/fd/" + std::to_string(fd_.get())),
      version_(status),
      had_a_name_(status.st_nlink > 0) {}

Result<std::shared_ptr<const ModuleFile>> ModuleFile::open(const std::string& name) {
    // O_PATH: opening a device or a FIFO would already be an act.
    UniqueFd fd(::open(name.c_str(), O_PATH | O_CLOEXEC));
    struct stat status {};
    if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return errno_error(name);
    if (!S_ISREG(status.st_mode)) return Error{name + ": not a regular file"};
    return std::shared_ptr<const ModuleFile>(new ModuleFile(std::move(fd), name, status));
}

Status ModuleFile::check_unchanged() const {
    struct stat status {};
    if (::fstat(fd_.get(), &status) != 0) return errno_error("the file's state");
    if (FileVersion(status) == version_) return ok_status();
    return Error{
        "the file has been written to since it was looked at: a probe could hit the middle of an "
        "instruction"};
}

bool ModuleFile::has_lost_its_name() const {
    struct stat status {};
    return had_a_name_ && ::fstat(fd_.get(), &status) == 0 && status.st_nlink == 0;
}

}  // namespace asrtrace::capture
