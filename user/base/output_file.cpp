// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/output_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace asrtrace {
namespace {

std::optional<std::uint32_t> number_from_environment(const char* name) {
    const char* text = std::getenv(name);
    if (text == nullptr) return std::nullopt;
    std::uint32_t value = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc{} || stop != end || stop == text) return std::nullopt;
    return value;
}

/// A name beside `path` that nobody can guess.
std::string name_beside(const std::string& path) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random)
        random = static_cast<std::uint64_t>(::getpid());
    char suffix[32];
    (void)std::snprintf(suffix, sizeof suffix, ".%016llx.tmp",
                        static_cast<unsigned long long>(random));
    return path + suffix;
}

Status replace_file(const std::string& path, std::string_view content) {
    const std::string temporary = name_beside(path);
    auto fd = create_exclusively(temporary);
    if (!fd) return fd.error();
    auto status = write_all(fd->get(), content, path);
    fd->reset();
    if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = errno_error(path);
    if (!status) ::unlink(temporary.c_str());
    return status;
}

Result<UniqueFd> open_special(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) return errno_error(path);
    return fd;
}

/// By SQLite's header (https://www.sqlite.org/fileformat.html, 1.3).
bool is_database(const std::string& path) {
    constexpr std::string_view kMagic("SQLite format 3\0", 16);
    std::array<char, kMagic.size()> head{};
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    return fd.valid() && ::read(fd.get(), head.data(), head.size()) == ssize_t{kMagic.size()} &&
           std::string_view(head.data(), head.size()) == kMagic;
}

enum class Existing : std::uint8_t { kNothing, kRegular, kSpecial };

/// Error: what is there cannot be written to; it calls it `name`.
Result<Existing> what_exists(const std::string& path, const std::string& name) {
    struct stat existing {};
    if (::lstat(path.c_str(), &existing) != 0) {
        if (errno != ENOENT) return errno_error(name);
        return Existing::kNothing;
    }
    if (S_ISREG(existing.st_mode) && is_database(path))
        return Error{
            name + ": is a database, perhaps a trace, and is not written over; name another file"};
    if (S_ISREG(existing.st_mode)) return Existing::kRegular;
    if (S_ISCHR(existing.st_mode) || S_ISFIFO(existing.st_mode)) return Existing::kSpecial;
    return Error{name + (S_ISLNK(existing.st_mode) ? ": is a symbolic link" : ": is no file") +
                 "; name a regular file"};
}

}  // namespace

std::optional<FileOwner> owner_behind_sudo() {
    if (::geteuid() != 0) return std::nullopt;
    const auto uid = number_from_environment("SUDO_UID");
    const auto gid = number_from_environment("SUDO_GID");
    if (!uid || !gid) return std::nullopt;
    return FileOwner{*uid, *gid};
}

Result<std::string> resolve_directory(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (name.empty() || name == "." || name == "..")
        return Error{"'" + path + "': names a directory, a file is needed"};
    char* resolved = ::realpath(directory.c_str(), nullptr);
    if (resolved == nullptr) return errno_error(directory);
    std::string out = resolved;
    std::free(resolved);  // NOLINT(bugprone-unhandled-exception-at-new): realpath allocates
    return (out == "/" ? "" : out) + "/" + name;
}

Result<UniqueFd> create_exclusively(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) return errno_error(path);
    // The mode again: umask may have taken the owner's own bits.
    if (::fchmod(fd.get(), 0600) != 0) return errno_error(path);
    if (const auto owner = owner_behind_sudo())
        if (::fchown(fd.get(), owner->uid, owner->gid) != 0) return errno_error(path);
    return fd;
}

Status write_all(int fd, std::string_view content, const std::string& name) {
    while (!content.empty()) {
        const ssize_t written = ::write(fd, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return errno_error(name);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return ok_status();
}

Result<UniqueFd> open_output_file(const std::string& path) {
    auto resolved = resolve_directory(path);
    if (!resolved) return resolved.error();
    const auto existing = what_exists(*resolved, path);
    if (!existing) return existing.error();
    if (*existing == Existing::kSpecial) return open_special(*resolved);
    if (*existing == Existing::kRegular && ::unlink(resolved->c_str()) != 0)
        return errno_error(path);
    return create_exclusively(*resolved);
}

Status check_output_file(const std::string& path) {
    auto resolved = resolve_directory(path);
    if (!resolved) return resolved.error();
    const auto existing = what_exists(*resolved, path);
    if (!existing) return existing.error();
    if (*existing == Existing::kSpecial) {
        if (::faccessat(AT_FDCWD, resolved->c_str(), W_OK, AT_EACCESS) == 0) return ok_status();
        return errno_error(path);
    }
    // Rights alone do not say whether a directory takes a new file.
    const std::string temporary = name_beside(*resolved);
    const auto made = create_exclusively(temporary);
    if (!made) return errno_error(path, errno);
    ::unlink(temporary.c_str());
    return ok_status();
}

Status write_output_file(const std::string& path, std::string_view content) {
    if (path == "-") return write_all(STDOUT_FILENO, content, "standard output");
    auto resolved = resolve_directory(path);
    if (!resolved) return resolved.error();
    const auto existing = what_exists(*resolved, path);
    if (!existing) return existing.error();
    if (*existing != Existing::kSpecial) return replace_file(*resolved, content);
    const auto fd = open_special(*resolved);
    if (!fd) return fd.error();
    return write_all(fd->get(), content, path);
}

}  // namespace asrtrace
