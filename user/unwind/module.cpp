// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/module.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kMaxVdsoBytes = std::uint64_t{1} << 20;

Result<std::vector<std::uint8_t>> read_memory(pid_t pid, std::uint64_t address,
                                              std::uint64_t bytes) {
    const std::string path = "/proc/" + std::to_string(pid) + "/mem";
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return errno_error(path);
    std::vector<std::uint8_t> data(bytes);
    const ssize_t got = ::pread(fd.get(), data.data(), data.size(), static_cast<off_t>(address));
    if (got < 0) return errno_error(path);
    data.resize(static_cast<std::size_t>(got));
    return data;
}

/// O_NONBLOCK: what the target maps is its own choice, and a FIFO must not hold us up.
UniqueFd open_file(const std::string& path) {
    return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

Result<UniqueFd> open_mapped_file(pid_t pid, const MapsEntry& entry) {
    std::array<char, 80> link{};
    std::snprintf(link.data(), link.size(), "/proc/%d/map_files/%llx-%llx", pid,
                  static_cast<unsigned long long>(entry.begin),
                  static_cast<unsigned long long>(entry.end));
    UniqueFd fd = open_file(link.data());
    if (fd.valid()) return fd;
    const Error error = errno_error(entry.path);
    if (entry.deleted) return error;
    fd = open_file("/proc/" + std::to_string(pid) + "/root" + entry.path);
    struct stat status {};
    if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return error;
    if (status.st_ino != entry.inode) return Error{entry.path + ": replaced since it was mapped"};
    return fd;
}

}  // namespace

MappingClass classify_mapping(const MapsEntry& entry) {
    if (!entry.executable) return MappingClass::kIgnored;
    if (entry.path == "[vdso]") return MappingClass::kVdso;
    if (entry.path.starts_with("[uprobes")) return MappingClass::kTrampoline;
    if (entry.path == "[vsyscall]") return MappingClass::kIgnored;
    return entry.is_file() ? MappingClass::kFile : MappingClass::kJit;
}

Result<ElfFile> open_module(pid_t pid, const MapsEntry& entry) {
    if (classify_mapping(entry) == MappingClass::kVdso) {
        auto image = read_memory(pid, entry.begin, std::min(entry.size_bytes(), kMaxVdsoBytes));
        if (!image) return image.error();
        return ElfFile::from_bytes(std::move(*image));
    }
    auto fd = open_mapped_file(pid, entry);
    if (!fd) return fd.error();
    return ElfFile::open(std::move(*fd));
}

Result<std::uint64_t> linked_address(const std::vector<LoadSegment>& segments,
                                     const MapsEntry& entry) {
    for (const LoadSegment& segment : segments) {
        if (!segment.executable) continue;
        // The kernel maps whole pages around a segment.
        const std::uint64_t slack = segment.address % kPageBytes;
        if (segment.file_offset < slack) continue;
        const std::uint64_t begin = segment.file_offset - slack;
        if (entry.file_offset < begin || entry.file_offset - begin >= segment.file_bytes + slack) {
            continue;
        }
        return segment.address - slack + (entry.file_offset - begin);
    }
    return Error{"mapped executable where the file has no executable segment"};
}

}  // namespace asrtrace::unwind
