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

bool has_soname(Elf* elf) {
    for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr; scn = elf_nextscn(elf, scn)) {
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr || header.sh_type != SHT_DYNAMIC) continue;
        Elf_Data* data = elf_getdata(scn, nullptr);
        GElf_Dyn entry;
        for (int i = 0; data != nullptr && gelf_getdyn(data, i, &entry) != nullptr; ++i)
            if (entry.d_tag == DT_SONAME) return true;
    }
    return false;
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
    GElf_Ehdr elf_header;
    if (gelf_getehdr(elf_.get(), &elf_header) == nullptr) return Error{libelf_message(name)};
    if (elf_header.e_type == ET_EXEC) entry_ = elf_header.e_entry;
    for (std::size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf_.get(), static_cast<int>(i), &header) == nullptr) {
            return Error{libelf_message(name)};
        }
        // libc.so.6 can be run, too, but does not begin with _start.
        if (header.p_type == PT_INTERP && !has_soname(elf_.get())) entry_ = elf_header.e_entry;
        if (header.p_type != PT_LOAD) continue;
        segments_.push_back({header.p_offset, header.p_filesz, header.p_vaddr, header.p_memsz,
                             (header.p_flags & PF_X) != 0});
    }
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
    const void* bytes = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(elf_.get(), &bytes);
    if (size <= 0 || static_cast<std::size_t>(size) > kMaxBuildIdBytes) return {};
    return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::optional<DebugLink> ElfImage::debug_link() const {
    GElf_Word crc = 0;
    const char* name = dwelf_elf_gnu_debuglink(elf_.get(), &crc);
    if (name == nullptr) return {};
    DebugLink link{name, crc};
    if (link.name.empty() || link.name.size() > 255 || link.name.find('/') != std::string::npos) {
        return {};
    }
    return link;
}

Elf_Scn* ElfImage::section(std::string_view name) const {
    std::size_t names = 0;
    if (elf_getshdrstrndx(elf_.get(), &names) != 0) return nullptr;
    Elf_Scn* scn = nullptr;
    for (std::size_t i = 0; i < kMaxSections; ++i) {
        scn = elf_nextscn(elf_.get(), scn);
        if (scn == nullptr) break;
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr) continue;
        const char* found = elf_strptr(elf_.get(), names, header.sh_name);
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
    std::size_t names = 0;
    if (elf_getshdrstrndx(elf_.get(), &names) != 0) return 0;
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
        } else if (const char* name = elf_strptr(elf_.get(), names, header.sh_name);
                   name != nullptr && std::string_view(name).starts_with(".zdebug_")) {
            if (const Elf_Data* data = elf_rawdata(scn, nullptr)) size = gnu_inflated_bytes(*data);
        }
        total = checked_add(total, size).value_or(UINT64_MAX);
    }
    return total;
}

}  // namespace asrtrace::symbols
