// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/elf_file.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "user/unwind/byte_reader.h"
#include "user/unwind/encoded_pointer.h"

namespace asrtrace::unwind {
namespace {

/// Larger call frame information gives more rows than a table may have (2^24, each of four bytes
/// and more); that of PyTorch's largest library is a third of it.
constexpr std::uint64_t kMaxSectionBytes = std::uint64_t{128} << 20;
constexpr std::uint16_t kMaxProgramHeaders = 4096;
/// Those asked for are short; of the others it does not matter.
constexpr std::ptrdiff_t kMaxNameBytes = 64;

Result<std::vector<std::uint8_t>> inflate(Bytes data) {
    const auto header = read_at<Elf64_Chdr>(data, 0);
    if (!header) return Error{"compressed section: no header"};
    if (header->ch_type != ELFCOMPRESS_ZLIB) return Error{"compressed section: unknown method"};
    // Deflate cannot expand beyond 1032:1; a larger claim is a bomb.
    if (header->ch_size > kMaxSectionBytes || header->ch_size / 1032 > data.size()) {
        return Error{"compressed section: claims an impossible size"};
    }
    std::vector<std::uint8_t> out(header->ch_size);
    auto out_bytes = static_cast<uLongf>(out.size());
    const Bytes packed = data.subspan(sizeof(Elf64_Chdr));
    const int code =
        ::uncompress(out.data(), &out_bytes, packed.data(), static_cast<uLong>(packed.size()));
    if (code != Z_OK || out_bytes != out.size()) return Error{"compressed section: damaged"};
    return out;
}

}  // namespace

Result<ElfFile> ElfFile::open(UniqueFd fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error("fstat");
    if (!S_ISREG(status.st_mode)) return Error{std::string(kNotElf)};
    ElfFile file;
    file.fd_ = std::move(fd);
    file.size_ = static_cast<std::uint64_t>(status.st_size);
    file.version_ = {
        .device = status.st_dev,
        .inode = status.st_ino,
        .bytes = file.size_,
        .written_ns = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                      static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
    return parse(std::move(file));
}

Result<ElfFile> ElfFile::from_bytes(std::vector<std::uint8_t> image) {
    ElfFile file;
    file.size_ = image.size();
    file.image_ = std::move(image);
    return parse(std::move(file));
}

Result<std::vector<std::uint8_t>> ElfFile::read(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset > size_ || size_ - offset < bytes) return Error{"reaches past the end of the file"};
    if (bytes > kMaxSectionBytes) return Error{"section is too large"};
    std::vector<std::uint8_t> out(bytes);
    if (!fd_.valid()) {
        const auto part = Bytes(image_).subspan(offset, bytes);
        std::copy(part.begin(), part.end(), out.begin());
        return out;
    }
    std::size_t done = 0;
    while (done < bytes) {
        const ssize_t got =
            ::pread(fd_.get(), out.data() + done, bytes - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno_error("read");
        if (got == 0) return Error{"file was truncated while it was read"};
        done += static_cast<std::size_t>(got);
    }
    return out;
}

Result<ElfFile> ElfFile::parse(ElfFile file) {
    const auto head = file.read(0, sizeof(Elf64_Ehdr));
    if (!head) return Error{std::string(kNotElf)};
    const auto header = *read_at<Elf64_Ehdr>(*head, 0);
    constexpr std::uint8_t kNative =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
    if (!std::equal(header.e_ident, header.e_ident + SELFMAG, ELFMAG)) {
        return Error{std::string(kNotElf)};
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kNative) {
        return Error{"ELF file of another word size or byte order"};
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMaxProgramHeaders)
        return Error{"damaged ELF program headers"};
    file.machine_ = header.e_machine;
    if (auto status = file.read_segments(header.e_phoff, header.e_phnum); !status) {
        return status.error();
    }
    // Without usable section headers the loader's view (PT_GNU_EH_FRAME) has to do.
    if (header.e_shoff != 0 && header.e_shentsize == sizeof(Elf64_Shdr)) {
        if (!file.read_sections(header.e_shoff, header.e_shnum, header.e_shstrndx)) {
            file.sections_.clear();
        }
    }
    return file;
}

Status ElfFile::read_segments(std::uint64_t offset, std::uint16_t count) {
    const auto data = read(offset, std::uint64_t{count} * sizeof(Elf64_Phdr));
    if (!data) return Error{"ELF program headers: " + data.error().message};
    for (std::size_t i = 0; i < count; ++i) {
        const auto header = *read_at<Elf64_Phdr>(*data, i * sizeof(Elf64_Phdr));
        if (header.p_type == PT_GNU_EH_FRAME) eh_frame_header_ = header.p_vaddr;
        if (header.p_type == PT_NOTE) read_build_id(header.p_offset, header.p_filesz);
        if (header.p_type != PT_LOAD) continue;
        if (!checked_add(header.p_vaddr, header.p_memsz)) return Error{"segment wraps around"};
        segments_.push_back({header.p_vaddr, header.p_offset, header.p_filesz, header.p_memsz,
                             (header.p_flags & PF_X) != 0});
    }
    return ok_status();
}

Status ElfFile::read_sections(std::uint64_t offset, std::uint16_t count, std::uint16_t names) {
    const auto data = read(offset, std::uint64_t{count} * sizeof(Elf64_Shdr));
    if (!data) return data.error();
    if (names >= count) return Error{"no section names"};
    const auto name_header = *read_at<Elf64_Shdr>(*data, names * sizeof(Elf64_Shdr));
    const auto name_data = read(name_header.sh_offset, name_header.sh_size);
    if (!name_data) return name_data.error();
    for (std::size_t i = 0; i < count; ++i) {
        const auto header = *read_at<Elf64_Shdr>(*data, i * sizeof(Elf64_Shdr));
        if (header.sh_name >= name_data->size()) return Error{"section name outside"};
        const auto begin = name_data->begin() + header.sh_name;
        const auto limit = begin + std::min(kMaxNameBytes, name_data->end() - begin);
        const auto end = std::find(begin, limit, 0);
        sections_.push_back({std::string(begin, end), header.sh_type, header.sh_flags,
                             header.sh_addr, header.sh_offset, header.sh_size});
    }
    return ok_status();
}

void ElfFile::read_build_id(std::uint64_t offset, std::uint64_t bytes) {
    if (bytes > 65536 || !build_id_.empty()) return;
    const auto data = read(offset, bytes);
    if (!data) return;
    ByteReader reader(*data);
    while (!reader.at_end()) {
        const auto header = reader.fixed<Elf64_Nhdr>();
        const Bytes name = reader.take((std::uint64_t{header.n_namesz} + 3) & ~std::uint64_t{3});
        const Bytes note = reader.take((std::uint64_t{header.n_descsz} + 3) & ~std::uint64_t{3});
        if (reader.failed()) return;
        constexpr std::array<std::uint8_t, 4> kGnu{'G', 'N', 'U', '\0'};
        const bool gnu = std::equal(name.begin(), name.end(), kGnu.begin(), kGnu.end());
        if (!gnu || header.n_type != NT_GNU_BUILD_ID || header.n_descsz > 64) continue;
        static constexpr char kDigits[] = "0123456789abcdef";
        build_id_.clear();
        for (std::uint8_t byte : note.first(header.n_descsz)) {
            build_id_ += kDigits[byte >> 4];
            build_id_ += kDigits[byte & 0xf];
        }
        return;
    }
}

const ElfFile::Section* ElfFile::find_section(std::string_view name) const {
    const auto found = std::find_if(sections_.begin(), sections_.end(),
                                    [&](const Section& s) { return s.name == name; });
    return found == sections_.end() || found->type == SHT_NOBITS ? nullptr : &*found;
}

std::uint64_t ElfFile::frame_bytes() const {
    std::uint64_t bytes = 0;
    if (const Section* section = find_section(".eh_frame")) {
        bytes = section->bytes;
    } else {
        for (const LoadSegment& segment : segments_) bytes = std::max(bytes, segment.file_bytes);
    }
    if (const Section* section = find_section(".debug_frame")) {
        const bool compressed = (section->flags & SHF_COMPRESSED) != 0;
        bytes = std::max(bytes, compressed ? kMaxSectionBytes : section->bytes);
    }
    return std::min(bytes, kMaxSectionBytes);
}

Result<ElfSection> ElfFile::eh_frame() const {
    const Section* section = find_section(".eh_frame");
    if (section == nullptr) return eh_frame_by_header();
    auto data = read(section->file_offset, section->bytes);
    if (!data) return Error{".eh_frame: " + data.error().message};
    return ElfSection{section->address, std::move(*data), true};
}

Result<ElfSection> ElfFile::eh_frame_by_header() const {
    if (eh_frame_header_ == 0) return ElfSection{};
    const auto segment_of = [&](std::uint64_t address) -> const LoadSegment* {
        for (const auto& s : segments_) {
            if (address >= s.address && address - s.address < s.file_bytes) return &s;
        }
        return nullptr;
    };
    const LoadSegment* segment = segment_of(eh_frame_header_);
    if (segment == nullptr) return Error{".eh_frame_hdr is in no segment"};
    const std::uint64_t inside = eh_frame_header_ - segment->address;
    const auto header = read(segment->file_offset + inside,
                             std::min<std::uint64_t>(segment->file_bytes - inside, 16));
    if (!header) return header.error();
    // LSB 5, 10.6.2: version, eh_frame_ptr_enc, fde_count_enc, table_enc, eh_frame_ptr.
    ByteReader reader(*header);
    const auto version = reader.fixed<std::uint8_t>();
    const auto encoding = reader.fixed<std::uint8_t>();
    reader.skip(2);
    const auto pointer = read_encoded(reader, encoding, {eh_frame_header_, 0, eh_frame_header_});
    if (version != 1 || !pointer) return Error{".eh_frame_hdr is damaged"};
    segment = segment_of(*pointer);
    if (segment == nullptr) return Error{".eh_frame is in no segment"};
    const std::uint64_t begin = *pointer - segment->address;
    auto data = read(segment->file_offset + begin, segment->file_bytes - begin);
    if (!data) return Error{".eh_frame: " + data.error().message};
    return ElfSection{*pointer, std::move(*data), false};
}

Result<ElfSection> ElfFile::debug_frame() const {
    const Section* section = find_section(".debug_frame");
    if (section == nullptr) return ElfSection{};
    auto data = read(section->file_offset, section->bytes);
    if (data && (section->flags & SHF_COMPRESSED) != 0) data = inflate(*data);
    if (!data) return Error{".debug_frame: " + data.error().message};
    return ElfSection{0, std::move(*data), true};
}

}  // namespace asrtrace::unwind
