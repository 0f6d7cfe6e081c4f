// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "user/base/fd.h"
#include "user/trace/database.h"
#include "user/trace/load.h"
#include "user/trace/raw_load.h"
#include "user/trace/trace_file.h"

namespace asrtrace::trace {
namespace {

/// A file that SQLite refuses as a whole is read page by page up to this size.
constexpr std::int64_t kMaxSalvageBytes = std::int64_t{1} << 30;

Result<std::string> read_whole(int fd, std::int64_t size, const std::string& name) {
    std::string content(static_cast<std::size_t>(size), '\0');
    std::size_t have = 0;
    while (have < content.size()) {
        const ssize_t got =
            ::pread(fd, content.data() + have, content.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno_error(name);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    content.resize(have);
    return content;
}

struct OpenFile {
    UniqueFd fd;
    std::int64_t size = 0;
};

/// What is committed may be in FILE-wal alone: without it there would be an old state, or none.
Status check_wal(const std::string& path) {
    const std::string wal = path + "-wal";
    const UniqueFd fd(::open(wal.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (fd.valid() || errno == ENOENT) return ok_status();
    return Error{errno_error(wal).message + "; it is a part of the trace, make it readable"};
}

/// A regular file that begins as a trace does.
Result<OpenFile> open_trace(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid() && errno == EACCES)
        return Error{errno_error(path).message +
                     "; traces are their owner's alone: read it as that user, or chown it"};
    if (!fd.valid()) return errno_error(path);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return errno_error(path);
    if (!S_ISREG(info.st_mode)) return Error{path + ": is no regular file"};
    const auto header = read_header(fd.get(), path);
    if (!header) return header.error();
    if (const auto status = check_header(as_bytes(*header), path); !status) return status.error();
    if (const auto status = check_wal(path); !status) return status.error();
    return OpenFile{std::move(fd), info.st_size};
}

Result<std::string> read_for_salvage(const OpenFile& file, const std::string& name,
                                     const std::string& reason) {
    if (file.size > kMaxSalvageBytes) return Error{name + ": damaged: " + reason};
    return read_whole(file.fd.get(), file.size, name);
}

Result<ledger::Recording> salvage(const OpenFile& file, const std::string& name,
                                  const std::string& reason) {
    const auto image = read_for_salvage(file, name, reason);
    if (!image) return image.error();
    auto recording = read_image(as_bytes(*image), name);
    if (recording) recording->damage.push_back("pages of the file (" + reason + ")");
    return recording;
}

ledger::Recording read_database(const std::string& path) {
    Database database = Database::open_for_reading(path);
    database.execute("BEGIN");  // one snapshot, even if a recorder goes on writing
    return load(database, false);
}

}  // namespace

Result<ledger::Recording> read(const std::string& path) {
    const auto file = open_trace(path);
    if (!file) return file.error();
    try {
        return read_database(path);
    } catch (const SqlError& error) {
        return salvage(*file, path, error.what());
    }
}

Status read_raw_events(const std::string& path, const UseRawEvent& use) {
    const auto file = open_trace(path);
    if (!file) return file.error();
    try {
        Database database = Database::open_for_reading(path);
        load_raw_events(database, use);
        return ok_status();
    } catch (const SqlError& error) {
        const auto image = read_for_salvage(*file, path, error.what());
        if (!image) return image.error();
        return read_raw_events(as_bytes(*image), path, use);
    }
}

Status read_raw_events(Bytes image, const std::string& name, const UseRawEvent& use) {
    const Bytes header = image.first(std::min(image.size(), kHeaderBytes));
    if (auto status = check_header(header, name); !status) return status;
    try {
        Database database = Database::from_image(image);
        load_raw_events(database, use);
        return ok_status();
    } catch (const SqlError& error) {
        return Error{name + ": raw events: " + error.what()};
    }
}

Result<ledger::Recording> read_image(Bytes image, const std::string& name) {
    const Bytes header = image.first(std::min(image.size(), kHeaderBytes));
    if (const auto status = check_header(header, name); !status) return status.error();
    try {
        Database database = Database::from_image(image);
        return load(database, false);
    } catch (const SqlError& error) {
        return Error{name + ": damaged: " + error.what()};
    }
}

}  // namespace asrtrace::trace
