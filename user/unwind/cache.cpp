// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/cache.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "user/unwind/cache_writer.h"
#include "user/unwind/digest.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kMagic = 0x31646e7772747361;  // "asrtrwnd1"; the last byte is the version
constexpr const char* kSuffix = ".rows";

struct EntryHeader {
    std::uint64_t magic;
    std::uint64_t key;     ///< of both digests; random for each entry
    std::uint64_t source;  ///< digest of what the table was made from
    std::uint64_t text_begin;
    std::uint64_t text_bytes;
    std::uint64_t index_words;
    std::uint64_t rows;
    std::uint64_t damaged_entries;
    std::uint64_t checksum;  ///< of the fields above and all that follows
};
static_assert(sizeof(EntryHeader) == 72);

std::uint64_t digest_source(std::uint64_t key, const CfiSource& source) {
    Digest digest(key);
    digest.add(source.machine);
    digest.add(source.text_begin);
    digest.add(source.text_bytes);
    digest.add(source.eh_frame.address);
    digest.add(source.eh_frame.data);
    digest.add(source.debug_frame.data);
    return digest.value();
}

std::uint64_t digest_entry(const EntryHeader& header, const UnwindTable& table) {
    Digest digest(header.key);
    EntryHeader plain = header;
    plain.checksum = 0;
    digest.add(Bytes(reinterpret_cast<const std::uint8_t*>(&plain), sizeof(plain)));
    digest.add(as_bytes(table.index));
    digest.add(as_bytes(table.rows));
    return digest.value();
}

bool read_all(int fd, void* out, std::size_t bytes) {
    auto* at = static_cast<std::uint8_t*>(out);
    while (bytes > 0) {
        const ssize_t got = ::read(fd, at, bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        bytes -= static_cast<std::size_t>(got);
    }
    return true;
}

bool is_private(const struct stat& status) {
    return status.st_uid == ::geteuid() && (status.st_mode & 077) == 0;
}

/// A build-id comes from a foreign file: hex digits only, nothing that could leave the directory.
std::optional<std::string> entry_name(const std::string& build_id) {
    const bool hex = std::all_of(build_id.begin(), build_id.end(),
                                 [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (!hex || build_id.size() < 16 || build_id.size() > 128) return std::nullopt;
    return build_id + kSuffix;
}

/// Every page's rows lie inside: the walker's bounds rest on it.
bool is_consistent(const UnwindTable& table) {
    if (table.index.size() != table.text_bytes >> UNWIND_PAGE_SHIFT) return table.index.empty();
    return std::all_of(table.index.begin(), table.index.end(), [&](std::uint32_t word) {
        return (word >> 8) + (word & 0xff) <= table.rows.size();
    });
}

Status make_directories(const std::string& path) {
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
        const std::string part = path.substr(0, slash);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return errno_error(part);
        if (slash == std::string::npos) return ok_status();
    }
}

}  // namespace

TableCache::TableCache(UniqueFd directory) : directory_(std::move(directory)) {}
TableCache::~TableCache() = default;
TableCache::TableCache(TableCache&&) noexcept = default;
TableCache& TableCache::operator=(TableCache&&) noexcept = default;

std::string TableCache::default_directory() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);
        return std::string(value != nullptr ? value : "");
    };
    const std::string xdg = variable("XDG_CACHE_HOME");
    if (!xdg.empty() && xdg[0] == '/') return xdg + "/asrtrace/unwind";
    if (::geteuid() == 0) return "/var/cache/asrtrace/unwind";
    const std::string home = variable("HOME");
    return home.empty() ? "" : home + "/.cache/asrtrace/unwind";
}

Result<TableCache> TableCache::open(const std::string& directory) {
    if (directory.empty()) return Error{"unwind cache: no home directory"};
    if (auto status = make_directories(directory); !status) return status.error();
    UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return errno_error(directory);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error(directory);
    if (!is_private(status)) {
        return Error{directory + ": not private to this user (chmod 0700 it, or remove it)"};
    }
    return TableCache(std::move(fd));
}

std::optional<UnwindTable> TableCache::load(const std::string& build_id,
                                            const CfiSource& source) const {
    const auto name = entry_name(build_id);
    if (!name) return std::nullopt;
    const UniqueFd fd(
        ::openat(directory_.get(), name->c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
    if (!S_ISREG(status.st_mode) || !is_private(status)) return std::nullopt;
    EntryHeader header{};
    if (!read_all(fd.get(), &header, sizeof(header)) || header.magic != kMagic) return std::nullopt;
    if (header.text_begin != source.text_begin || header.text_bytes != source.text_bytes) return {};
    constexpr std::uint64_t kMax = std::uint64_t{1} << 28;
    if (header.rows > kMax || header.index_words > kMax) return std::nullopt;
    const std::uint64_t bytes = sizeof(header) + header.index_words * 4 + header.rows * 8;
    if (bytes != static_cast<std::uint64_t>(status.st_size)) return std::nullopt;
    UnwindTable table;
    table.text_begin = header.text_begin;
    table.text_bytes = header.text_bytes;
    table.damaged_entries = header.damaged_entries;
    table.index.resize(header.index_words);
    table.rows.resize(header.rows);
    if (!read_all(fd.get(), table.index.data(), header.index_words * 4)) return std::nullopt;
    if (!read_all(fd.get(), table.rows.data(), header.rows * 8)) return std::nullopt;
    if (header.checksum != digest_entry(header, table)) return std::nullopt;
    if (header.source != digest_source(header.key, source)) return std::nullopt;
    if (!is_consistent(table)) return std::nullopt;
    return table;
}

Status TableCache::store(const std::string& build_id, const CfiSource& source,
                         const UnwindTable& table) const {
    const auto name = entry_name(build_id);
    if (!name) return Error{"unwind cache: no build-id"};
    EntryHeader header{};
    header.magic = kMagic;
    if (::getrandom(&header.key, sizeof(header.key), 0) != sizeof(header.key)) {
        return errno_error("getrandom");
    }
    header.source = digest_source(header.key, source);
    header.text_begin = table.text_begin;
    header.text_bytes = table.text_bytes;
    header.index_words = table.index.size();
    header.rows = table.rows.size();
    header.damaged_entries = table.damaged_entries;
    header.checksum = digest_entry(header, table);
    CacheEntry entry{*name, {}};
    entry.bytes.reserve(sizeof(header) + as_bytes(table.index).size() +
                        as_bytes(table.rows).size());
    const auto add = [&entry](Bytes part) {
        entry.bytes.insert(entry.bytes.end(), part.begin(), part.end());
    };
    add(Bytes(reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)));
    add(as_bytes(table.index));
    add(as_bytes(table.rows));
    if (!writer_) return write_entry(directory_.get(), entry);
    writer_->write(std::move(entry));
    return ok_status();
}

void TableCache::prune(std::uint64_t limit_bytes) const {
    if (writer_) {
        writer_->prune(limit_bytes);
    } else {
        prune_entries(directory_.get(), limit_bytes);
    }
}

const std::string& TableCache::write_behind() {
    writer_ =
        std::make_unique<CacheWriter>(UniqueFd(::fcntl(directory_.get(), F_DUPFD_CLOEXEC, 0)));
    return writer_->problem();
}

}  // namespace asrtrace::unwind
