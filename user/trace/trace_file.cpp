// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/trace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "user/base/fd.h"
#include "user/trace/database.h"
#include "user/trace/format.h"

namespace asrtrace::trace {
namespace {

constexpr std::string_view kMagic{"SQLite format 3\0", 16};
constexpr std::array<const char*, 3> kCompanions{"-wal", "-shm", "-journal"};

/// Big-endian number of the database's header.
std::uint32_t header_number(Bytes header, std::size_t offset) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | header[offset + i];
    return value;
}

bool is_database(Bytes header) {
    return header.size() >= kHeaderBytes &&
           std::string_view(reinterpret_cast<const char*>(header.data()), kMagic.size()) == kMagic;
}

bool is_trace(Bytes header) {
    return is_database(header) && header_number(header, 68) == kApplicationId;
}

/// A connection in WAL mode holds a shared lock on these bytes as long as it lives (SQLite's
/// os.h: PENDING_BYTE, SHARED_FIRST, SHARED_SIZE).
bool in_use(int fd) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 0x40000002;
    lock.l_len = 510;
    return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

Status check_replaceable(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid() && errno == ELOOP)
        return Error{path + ": is a symbolic link; name the file itself"};
    if (!fd.valid()) return errno_error(path);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return errno_error(path);
    if (!S_ISREG(info.st_mode)) return Error{path + ": is no regular file; choose another name"};
    const auto header = read_header(fd.get(), path);
    if (!header) return header.error();
    if (!is_trace(as_bytes(*header)))
        return Error{path +
                     ": exists and is not an asrtrace trace; remove it or choose another name"};
    if (in_use(fd.get()))
        return Error{path + ": another process has this trace open; choose another name"};
    return ok_status();
}

}  // namespace

Status check_header(Bytes header, const std::string& name) {
    if (header.empty()) return Error{name + ": is empty"};
    if (!is_database(header))
        return Error{name + ": is not an asrtrace trace (no SQLite database)"};
    if (!is_trace(header))
        return Error{name + ": is an SQLite database of another program, not an asrtrace trace"};
    const std::uint32_t version = header_number(header, 60);
    if (version > kFormatVersion)
        return Error{name + ": has trace format " + std::to_string(version) +
                     ", this asrtrace reads up to " + std::to_string(kFormatVersion) +
                     "; use a newer asrtrace"};
    if (version == 1)
        return Error{name + ": has trace format 1, of a development version; record it again"};
    if (version == 0) return Error{name + ": is an unfinished or damaged trace (format 0)"};
    return ok_status();
}

Status remove_old_trace(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) {
        if (auto status = check_replaceable(path); !status) return status;
        if (::unlink(path.c_str()) != 0) return errno_error(path);
        for (const char* companion : kCompanions) ::unlink((path + companion).c_str());
    } else if (errno != ENOENT) {
        return errno_error(path);
    }
    // SQLite would take a stranger's -wal for the new file's own.
    for (const char* companion : kCompanions)
        if (::lstat((path + companion).c_str(), &info) == 0)
            return Error{path + companion + ": is in the way; remove it or choose another name"};
    return ok_status();
}

Result<std::string> read_header(int fd, const std::string& name) {
    std::string header(kHeaderBytes, '\0');
    const ssize_t got = ::pread(fd, header.data(), header.size(), 0);
    if (got < 0) return errno_error(name);
    header.resize(static_cast<std::size_t>(got));
    return header;
}

}  // namespace asrtrace::trace
