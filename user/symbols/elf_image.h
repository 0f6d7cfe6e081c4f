// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// An ELF file opened with libelf: its segments, sections, build-id and the name of its debug file.
// Layouts: System V gABI (elf.h), binutils' .gnu_debuglink and .note.gnu.build-id.
#pragma once

#include <libelf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "user/base/bytes.h"
#include "user/base/result.h"
#include "user/symbols/mapped_file.h"

namespace asrtrace::symbols {

constexpr std::size_t kMaxSections = 1U << 16U;  ///< more than that is damage

struct Segment {
    std::uint64_t file_offset = 0;  ///< bytes
    std::uint64_t file_bytes = 0;
    std::uint64_t vaddr = 0;
    std::uint64_t memory_bytes = 0;
    bool executable = false;
};

struct DebugLink {
    std::string name;  ///< a base name
    std::uint32_t crc = 0;
};

class ElfImage {
  public:
    /// Error: `name` and what is wrong with it (no ELF, damaged headers).
    static Result<ElfImage> open(MappedFile file, const std::string& name);
    /// The same for an image in memory (vdso, .gnu_debugdata).
    static Result<ElfImage> open(std::vector<std::uint8_t> image, const std::string& name);

    /// Starts over with a fresh libelf handle: frees what it has inflated. Nothing may use the old
    /// one any more. False if the file has become unreadable.
    bool reopen();

    Elf* elf() const { return elf_.get(); }
    const std::string& name() const { return name_; }
    Bytes bytes() const { return file_.bytes().empty() ? Bytes(memory_) : file_.bytes(); }
    const MappedFile& file() const { return file_; }
    /// PT_LOAD headers.
    const std::vector<Segment>& segments() const { return segments_; }

    /// Virtual address of a byte of the file that is mapped executable; nothing if no segment loads
    /// it.
    std::optional<std::uint64_t> vaddr_of(std::uint64_t file_offset) const;
    /// The way back, for bytes that are in the file.
    std::optional<std::uint64_t> file_offset_of(std::uint64_t vaddr) const;
    bool is_executable(std::uint64_t vaddr) const;
    /// Where a program (not a library) begins; nothing if this is none.
    std::optional<std::uint64_t> program_entry() const { return entry_; }

    /// Raw bytes; empty if there is none.
    std::string build_id() const;
    std::optional<DebugLink> debug_link() const;
    /// A table of strings that ends with a zero byte, as it must. libelf looks for one in what does
    /// not, each time that it is asked for a string: endless work if the table is large.
    bool is_terminated(std::size_t section_index) const;
    /// Null if there is no such section.
    Elf_Scn* section(std::string_view name) const;
    bool has_section(std::string_view name) const { return section(name) != nullptr; }
    /// Bytes as they are in the file; empty if the section is absent or damaged.
    Bytes section_bytes(std::string_view name) const;
    /// What the compressed .debug_* sections say that they inflate to, in bytes.
    std::uint64_t inflated_debug_bytes() const;

  private:
    struct EndElf {
        void operator()(Elf* elf) const { elf_end(elf); }
    };
    bool begin();
    Status read(const std::string& name);
    std::optional<std::size_t> section_names() const;

    MappedFile file_;
    std::vector<std::uint8_t> memory_;
    std::string name_;
    std::vector<Segment> segments_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> notes_;  ///< PT_NOTE: offset, bytes
    std::optional<std::uint64_t> entry_;
    std::unique_ptr<Elf, EndElf> elf_;
};

}  // namespace asrtrace::symbols
