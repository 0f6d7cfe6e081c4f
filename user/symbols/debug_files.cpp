// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/debug_files.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "user/base/confinement.h"
#include "user/symbols/debuginfod.h"
#include "user/symbols/symbolizer.h"

namespace asrtrace::symbols {
namespace {

/// Opens `path` as if `root` were "/", absolute symbolic links included (openat2, Linux 5.6).
UniqueFd open_in_root(int root, const std::string& path) {
    const long fd = ::syscall(SYS_openat2, root, path.c_str(), &kReadInRoot, sizeof(kReadInRoot));
    if (fd < 0 && errno == ENOSYS) {
        return UniqueFd(::openat(root, path.substr(path.find_first_not_of('/')).c_str(),
                                 static_cast<int>(kReadInRoot.flags)));
    }
    return UniqueFd(static_cast<int>(fd));
}

/// For checksums: of one file, and of all that a target names. Files without a build-id are old
/// and small; sparse ones have any size.
constexpr std::uint64_t kMaxChecksumBytes = std::uint64_t{1} << 30U;
constexpr std::uint64_t kMaxChecksumBytesInAll = std::uint64_t{16} << 30U;

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string join(std::string directory, const std::string& name) {
    directory += '/';
    directory += name;
    return directory;
}

/// maps escapes a newline as \012; other bytes stay.
std::string unescape_newlines(std::string path) {
    for (std::size_t at = 0; (at = path.find("\\012", at)) != std::string::npos; ++at) {
        path.replace(at, 4, "\n");
    }
    return path;
}

}  // namespace

TargetFiles::TargetFiles(pid_t pid, const std::string& root,
                         std::vector<std::string> debug_directories, bool debuginfod)
    : pid_(pid),
      root_(::open(root.empty() ? ("/proc/" + std::to_string(pid) + "/root").c_str() : root.c_str(),
                   O_PATH | O_DIRECTORY | O_CLOEXEC)),
      debug_directories_(std::move(debug_directories)),
      debuginfod_(debuginfod),
      checksum_bytes_left_(kMaxChecksumBytesInAll) {}

/// Polynomial and start of .gnu_debuglink's checksum are zlib's. False also for what is too large.
bool TargetFiles::has_checksum(const MappedFile& file, std::uint32_t crc) const {
    const Bytes bytes = file.bytes();
    if (bytes.size() > std::min(kMaxChecksumBytes, checksum_bytes_left_)) return false;
    checksum_bytes_left_ -= bytes.size();
    const auto found = static_cast<std::uint32_t>(crc32_z(0, bytes.data(), bytes.size()));
    file.drop_pages();
    return found == crc;
}

Result<MappedFile> TargetFiles::open_inside(const std::string& path) const {
    if (!root_.valid()) return Error{path + ": the target's root is not accessible"};
    const UniqueFd fd = open_in_root(root_.get(), path);
    if (!fd.valid()) return errno_error(path);
    return MappedFile::map(fd.get(), path);
}

Result<MappedFile> TargetFiles::open_mapping(const MapsEntry& entry) const {
    std::array<char, 64> range{};
    std::snprintf(range.data(), range.size(), "/map_files/%" PRIx64 "-%" PRIx64, entry.begin,
                  entry.end);
    auto mapped = MappedFile::open("/proc/" + std::to_string(pid_) + range.data());
    if (mapped) return mapped;
    if (!root_.valid()) return Error{entry.path + ": the target's root is not accessible"};
    const UniqueFd fd = open_in_root(root_.get(), unescape_newlines(entry.path));
    if (!fd.valid()) return errno_error(entry.path);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error(entry.path);
    if (status.st_ino != entry.inode) return Error{entry.path + ": replaced since it was mapped"};
    return MappedFile::map(fd.get(), entry.path);
}

std::unique_ptr<ElfImage> TargetFiles::open_image(const std::string& path) const {
    auto file = open_inside(path);
    if (!file) return nullptr;
    auto image = ElfImage::open(std::move(*file), path);
    return image ? std::make_unique<ElfImage>(std::move(*image)) : nullptr;
}

std::unique_ptr<ElfImage> TargetFiles::by_build_id(const std::string& build_id) const {
    if (build_id.size() < 2) return nullptr;
    const std::string hex = build_id_hex(build_id);
    for (const std::string& directory : debug_directories_) {
        auto image = open_image(directory + "/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) +
                                ".debug");
        if (image != nullptr && image->build_id() == build_id) return image;
    }
    if (!debuginfod_) return nullptr;
    auto file = fetch_debuginfo(build_id);
    if (!file) return nullptr;
    auto image = ElfImage::open(std::move(*file), "debuginfod:" + hex);
    if (!image || image->build_id() != build_id) return nullptr;
    return std::make_unique<ElfImage>(std::move(*image));
}

std::unique_ptr<ElfImage> TargetFiles::by_link(const ElfImage& image,
                                               const std::string& path) const {
    const auto link = image.debug_link();
    if (!link) return nullptr;
    const std::string directory = directory_of(path);
    std::vector<std::string> candidates{join(directory, link->name),
                                        join(directory + "/.debug", link->name)};
    // /lib is a link to /usr/lib on merged systems, and packages say either.
    std::string other = directory;
    if (directory.starts_with("/usr/")) {
        other.erase(0, 4);
    } else {
        other.insert(0, "/usr");
    }
    for (const std::string& debug : debug_directories_) {
        candidates.push_back(join(debug + directory, link->name));
        candidates.push_back(join(debug + other, link->name));
    }
    const std::string build_id = image.build_id();
    for (const std::string& candidate : candidates) {
        if (candidate == path) continue;
        auto found = open_image(candidate);
        if (found == nullptr) continue;
        const std::string found_id = found->build_id();
        const bool same = build_id.empty() || found_id.empty()
                              ? has_checksum(found->file(), link->crc)
                              : build_id == found_id;
        if (same) return found;
    }
    return nullptr;
}

std::unique_ptr<ElfImage> TargetFiles::find_debug(const ElfImage& image,
                                                  const std::string& path) const {
    auto found = by_build_id(image.build_id());
    return found != nullptr ? std::move(found) : by_link(image, path);
}

std::unique_ptr<ElfImage> TargetFiles::find_shared(const ElfImage& debug) const {
    const Bytes section = debug.section_bytes(".gnu_debugaltlink");
    const auto* text = reinterpret_cast<const char*>(section.data());
    const std::size_t end = std::string_view(text, section.size()).find('\0');
    if (section.empty() || end == std::string_view::npos) return nullptr;
    const std::string name(text, end);
    const std::string build_id(text + end + 1, section.size() - end - 1);
    if (auto found = by_build_id(build_id)) return found;
    auto found = open_image(name.starts_with('/') ? name : directory_of(debug.name()) + "/" + name);
    return found != nullptr && found->build_id() == build_id ? std::move(found) : nullptr;
}

}  // namespace asrtrace::symbols
