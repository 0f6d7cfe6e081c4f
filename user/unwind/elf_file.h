// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The few parts of an ELF file that unwinding needs, read with pread and never mapped: a file that
// the target truncates under us must be an error and not a SIGBUS. Works without section headers
// (vdso images, sstrip'ed files) through PT_GNU_EH_FRAME.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/bytes.h"
#include "user/base/fd.h"
#include "user/base/result.h"

namespace asrtrace::unwind {

/// The error of a file that is something else altogether (code caches, /dev/zero, memfd heaps).
inline constexpr std::string_view kNotElf = "not an ELF file";

struct LoadSegment {
    std::uint64_t address = 0;  ///< as linked
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t memory_bytes = 0;
    bool executable = false;
};

struct FileVersion {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t bytes = 0;
    std::uint64_t written_ns = 0;  ///< st_mtim
};

struct ElfSection {
    std::uint64_t address = 0;
    std::vector<std::uint8_t> data;
    bool exact_end = true;  ///< false: the data reach to the segment's end, a terminator ends them
};

class ElfFile {
  public:
    /// Errors: not an ELF file of this machine's byte order and 64 bits, damaged headers,
    /// unreadable.
    static Result<ElfFile> open(UniqueFd fd);
    static Result<ElfFile> from_bytes(std::vector<std::uint8_t> image);

    /// Which file this is, as long as nobody writes to it; all zeros if it is none.
    const FileVersion& version() const { return version_; }
    std::uint16_t machine() const { return machine_; }
    const std::vector<LoadSegment>& segments() const { return segments_; }
    /// Lower-case hex; empty if the file carries none.
    const std::string& build_id() const { return build_id_; }

    /// What reading the two below takes at most, in bytes.
    std::uint64_t frame_bytes() const;
    /// Call frame information as the loader sees it; empty data if there is none.
    Result<ElfSection> eh_frame() const;
    /// .debug_frame, decompressed; empty data if there is none.
    Result<ElfSection> debug_frame() const;

  private:
    struct Section {
        std::string name;
        std::uint32_t type = 0;
        std::uint64_t flags = 0;
        std::uint64_t address = 0;
        std::uint64_t file_offset = 0;
        std::uint64_t bytes = 0;
    };

    ElfFile() = default;
    static Result<ElfFile> parse(ElfFile file);
    Result<std::vector<std::uint8_t>> read(std::uint64_t offset, std::uint64_t bytes) const;
    Status read_segments(std::uint64_t offset, std::uint16_t count);
    Status read_sections(std::uint64_t offset, std::uint16_t count, std::uint16_t names);
    void read_build_id(std::uint64_t offset, std::uint64_t bytes);
    const Section* find_section(std::string_view name) const;
    Result<ElfSection> eh_frame_by_header() const;

    UniqueFd fd_;
    std::vector<std::uint8_t> image_;
    std::uint64_t size_ = 0;
    FileVersion version_;
    std::uint16_t machine_ = 0;
    std::uint64_t eh_frame_header_ = 0;
    std::vector<LoadSegment> segments_;
    std::vector<Section> sections_;
    std::string build_id_;
};

}  // namespace asrtrace::unwind
