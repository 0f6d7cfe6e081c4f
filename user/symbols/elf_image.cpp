// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/elf_image.h"

#include <elfutils/libdwelf.h>
#include <gelf.h>

#include <algorithm>
#include <utility>

namespace asrtrace::symbols {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kMaxBuildIdBytes = 64;
constexpr std::uint64_t kMaxNoteBytes = std::uint64_t{64} << 10U;
constexpr int kMaxNoteSections = 64;
constexpr std::uint64_t kMaxDynamicBytes = std::uint64_t{1} << 20U;
/// Linkers make a dozen. Each lookup goes through them.
constexpr std::size_t kMaxProgramHeaders = 256;

std::string libelf_message(const std::string& name) {
    const char* reason = elf_errmsg(-1);
    return name + ": " + (reason != nullptr ? reason : "not an ELF file");
}

bool holds(std::uint64_t begin, std::uint64_t bytes, std::uint64_t value) {
    return value >= begin && value - begin < bytes;
}

/// The first 12 bytes of a .zdebug_* section: "ZLIB", then the inflated size, big-endian.
std::uint64_t gnu_inflated_bytes(const Elf_Data& data) {
    const Bytes bytes(static_cast<const std::uint8_t*>(data.d_buf), data.d_size);
    const auto size = read_at<std::uint64_t>(bytes, 4);
    return size ? __builtin_bswap64(*size) : 0;
}

/// The gABI allows one dynamic section.
bool has_soname(Elf* elf) {
    GElf_Shdr header{};
    Elf_Scn* scn = elf_nextscn(elf, nullptr);
    while (scn != nullptr && gelf_getshdr(scn, &header) != nullptr && header.sh_type != SHT_DYNAMIC)
        scn = elf_nextscn(elf, scn);
    if (scn == nullptr || header.sh_size > kMaxDynamicBytes) return false;
    Elf_Data* data = elf_getdata(scn, nullptr);
    GElf_Dyn entry;
    for (int i = 0; data != nullptr && gelf_getdyn(data, i, &entry) != nullptr; ++i)
        if (entry.d_tag == DT_SONAME) return true;
    return false;
}

/// The build-id among the notes in `bytes` (gABI, "Note Section", 4-byte alignment); empty: none.
std::string build_id_among(Bytes bytes) {
    const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
    for (std::uint64_t at = 0;;) {
        const auto header = read_at<Elf64_Nhdr>(bytes, at);  // the same for 32 bits
        if (!header) return {};
        at += sizeof(Elf64_Nhdr);
        const auto owner = slice_at(bytes, at, header->n_namesz);
        at += padded(header->n_namesz);
        const auto desc = slice_at(bytes, at, header->n_descsz);
        at += padded(header->n_descsz);
        if (!owner || !desc) return {};
        constexpr std::string_view kOwner{ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)};  // with its zero
        if (header->n_type == NT_GNU_BUILD_ID && header->n_descsz <= kMaxBuildIdBytes &&
            std::equal(owner->begin(), owner->end(), kOwner.begin(), kOwner.end()))
            return {desc->begin(), desc->end()};
    }
}

}  // namespace

Result<ElfImage> ElfImage::open(MappedFile file, const std::string& name) {
    ElfImage image;
    image.file_ = std::move(file);
    if (auto status = image.read(name); !status) return status.error();
    return image;
}

Result<ElfImage> ElfImage::open(std::vector<std::uint8_t> memory, const std::string& name) {
    ElfImage image;
    image.memory_ = std::move(memory);
    if (auto status = image.read(name); !status) return status.error();
    return image;
}

bool ElfImage::begin() {
    elf_version(EV_CURRENT);
    const Bytes all = bytes();
    // libelf takes a char* but does not write through it when it only reads.
    auto* data = const_cast<char*>(reinterpret_cast<const char*>(all.data()));
    elf_.reset(elf_memory(data, all.size()));
    return elf_ != nullptr && elf_kind(elf_.get()) == ELF_K_ELF;
}

bool ElfImage::reopen() {
    return begin();
}

Status ElfImage::read(const std::string& name) {
    name_ = name;
    if (!begin()) return Error{libelf_message(name)};
    std::size_t count = 0;
    if (elf_getphdrnum(elf_.get(), &count) != 0) return Error{libelf_message(name)};
    if (count > kMaxProgramHeaders) return Error{name + ": too many program headers"};
    bool is_run = false;
    GElf_Ehdr elf_header;
    if (gelf_getehdr(elf_.get(), &elf_header) == nullptr) return Error{libelf_message(name)};
    if (elf_header.e_type == ET_EXEC) entry_ = elf_header.e_entry;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf_.get(), static_cast<int>(i), &header) == nullptr) {
            return Error{libelf_message(name)};
        }
        if (header.p_type == PT_INTERP) is_run = true;
        if (header.p_type == PT_NOTE) notes_.emplace_back(header.p_offset, header.p_filesz);
        if (header.p_type != PT_LOAD) continue;
        segments_.push_back({header.p_offset, header.p_filesz, header.p_vaddr, header.p_memsz,
                             (header.p_flags & PF_X) != 0});
    }
    // libc.so.6 can be run, too, but does not begin with _start.
    if (is_run && !has_soname(elf_.get())) entry_ = elf_header.e_entry;
    return ok_status();
}

std::optional<std::uint64_t> ElfImage::vaddr_of(std::uint64_t file_offset) const {
    const Segment* best = nullptr;
    for (const Segment& segment : segments_) {
        if (!holds(segment.file_offset, segment.file_bytes, file_offset)) continue;
        if (best == nullptr || (segment.executable && !best->executable)) best = &segment;
    }
    if (best != nullptr) return best->vaddr + (file_offset - best->file_offset);
    // The kernel maps whole pages: bytes around a segment are mapped with it.
    for (const Segment& segment : segments_) {
        const std::uint64_t begin = segment.file_offset & ~(kPageBytes - 1);
        const std::uint64_t lead = segment.file_offset - begin;
        const std::uint64_t bytes =
            (lead + segment.file_bytes + kPageBytes - 1) & ~(kPageBytes - 1);
        if (segment.executable && holds(begin, bytes, file_offset)) {
            return segment.vaddr - lead + (file_offset - begin);
        }
    }
    return {};
}

std::optional<std::uint64_t> ElfImage::file_offset_of(std::uint64_t vaddr) const {
    for (const Segment& segment : segments_) {
        if (holds(segment.vaddr, segment.file_bytes, vaddr)) {
            return segment.file_offset + (vaddr - segment.vaddr);
        }
    }
    return {};
}

bool ElfImage::is_executable(std::uint64_t vaddr) const {
    return std::any_of(segments_.begin(), segments_.end(), [vaddr](const Segment& segment) {
        return segment.executable && holds(segment.vaddr, segment.memory_bytes, vaddr);
    });
}

std::string ElfImage::build_id() const {
    int notes = 0;
    Elf_Scn* scn = nullptr;
    while (notes < kMaxNoteSections && (scn = elf_nextscn(elf_.get(), scn)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr || header.sh_type != SHT_NOTE) continue;
        ++notes;
        const auto bytes =
            slice_at(this->bytes(), header.sh_offset, std::min(header.sh_size, kMaxNoteBytes));
        std::string found = bytes ? build_id_among(*bytes) : std::string{};
        if (!found.empty()) return found;
    }
    for (const auto& [offset, size] : notes_) {
        const auto bytes = slice_at(this->bytes(), offset, std::min(size, kMaxNoteBytes));
        std::string found = bytes ? build_id_among(*bytes) : std::string{};
        if (!found.empty()) return found;
    }
    return {};
}

std::optional<DebugLink> ElfImage::debug_link() const {
    if (!section_names()) return {};
    GElf_Word crc = 0;
    const char* name = dwelf_elf_gnu_debuglink(elf_.get(), &crc);
    if (name == nullptr) return {};
    DebugLink link{name, crc};
    if (link.name.empty() || link.name.size() > 255 || link.name.find('/') != std::string::npos) {
        return {};
    }
    return link;
}

bool ElfImage::is_terminated(std::size_t section_index) const {
    const Elf_Data* data = elf_rawdata(elf_getscn(elf_.get(), section_index), nullptr);
    return data != nullptr && data->d_buf != nullptr && data->d_size != 0 &&
           static_cast<const char*>(data->d_buf)[data->d_size - 1] == '\0';
}

/// The index of the table of section names; nothing if there is none that can be used.
std::optional<std::size_t> ElfImage::section_names() const {
    std::size_t index = 0;
    if (elf_getshdrstrndx(elf_.get(), &index) != 0 || !is_terminated(index)) return {};
    return index;
}

Elf_Scn* ElfImage::section(std::string_view name) const {
    const auto names = section_names();
    if (!names) return nullptr;
    Elf_Scn* scn = nullptr;
    for (std::size_t i = 0; i < kMaxSections; ++i) {
        scn = elf_nextscn(elf_.get(), scn);
        if (scn == nullptr) break;
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr) continue;
        const char* found = elf_strptr(elf_.get(), *names, header.sh_name);
        if (found != nullptr && name == found) return scn;
    }
    return nullptr;
}

Bytes ElfImage::section_bytes(std::string_view name) const {
    Elf_Scn* scn = section(name);
    if (scn == nullptr) return {};
    const Elf_Data* data = elf_rawdata(scn, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    return {static_cast<const std::uint8_t*>(data->d_buf), data->d_size};
}

std::uint64_t ElfImage::inflated_debug_bytes() const {
    const auto names = section_names();
    if (!names) return 0;
    std::uint64_t total = 0;
    Elf_Scn* scn = nullptr;
    for (std::size_t i = 0; i < kMaxSections; ++i) {
        scn = elf_nextscn(elf_.get(), scn);
        if (scn == nullptr) break;
        GElf_Shdr header;
        GElf_Chdr compressed;
        if (gelf_getshdr(scn, &header) == nullptr) continue;
        std::uint64_t size = 0;
        if ((header.sh_flags & SHF_COMPRESSED) != 0) {
            if (gelf_getchdr(scn, &compressed) != nullptr) size = compressed.ch_size;
        } else if (const char* name = elf_strptr(elf_.get(), *names, header.sh_name);
                   name != nullptr && std::string_view(name).starts_with(".zdebug_")) {
            if (const Elf_Data* data = elf_rawdata(scn, nullptr)) size = gnu_inflated_bytes(*data);
        }
        total = checked_add(total, size).value_or(UINT64_MAX);
    }
    return total;
}

}  // namespace asrtrace::symbols
