// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/cache_entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "user/base/bytes.h"
#include "user/base/fd.h"

namespace asrtrace::unwind {
namespace {

bool write_all(int fd, Bytes data) {
    while (!data.empty()) {
        const ssize_t put = ::write(fd, data.data(), data.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        data = data.subspan(static_cast<std::size_t>(put));
    }
    return true;
}

}  // namespace

Status write_entry(int directory, const CacheEntry& entry) {
    // Two tracers may write the same entry: each its own file, the last rename stays.
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof(number), 0) != sizeof(number)) return errno_error("getrandom");
    const std::string temporary =
        entry.name + "." + std::to_string(::getpid()) + "." + std::to_string(number);
    const UniqueFd fd(::openat(directory, temporary.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return errno_error("unwind cache: " + temporary);
    if (write_all(fd.get(), entry.bytes) &&
        ::renameat(directory, temporary.c_str(), directory, entry.name.c_str()) == 0) {
        return ok_status();
    }
    const Error error = errno_error("unwind cache: " + entry.name);
    ::unlinkat(directory, temporary.c_str(), 0);
    return error;
}

void prune_entries(int directory, std::uint64_t limit_bytes) {
    struct Entry {
        std::string name;
        std::int64_t seconds;
        std::uint64_t bytes;
    };
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(copy), &::closedir);
    if (!listing) {
        ::close(copy);
        return;
    }
    std::vector<Entry> entries;
    std::uint64_t total = 0;
    while (const dirent* item = ::readdir(listing.get())) {
        struct stat status {};
        if (::fstatat(directory, item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(status.st_mode)) continue;
        entries.push_back(
            {item->d_name, status.st_mtim.tv_sec, static_cast<std::uint64_t>(status.st_size)});
        total += entries.back().bytes;
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.seconds < b.seconds; });
    for (const Entry& entry : entries) {
        if (total <= limit_bytes) return;
        ::unlinkat(directory, entry.name.c_str(), 0);
        total -= entry.bytes;
    }
}

}  // namespace asrtrace::unwind
