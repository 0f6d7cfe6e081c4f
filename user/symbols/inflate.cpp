// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/inflate.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <utility>

#include "user/base/confinement.h"
#include "user/base/fd.h"

namespace asrtrace::symbols {
namespace {

constexpr std::uint64_t kMaxImageBytes = std::uint64_t{1} << 30U;
constexpr std::uint64_t kMaxTotalBytes = std::uint64_t{4} << 30U;
constexpr std::size_t kChunkBytes = std::size_t{256} << 10U;
std::atomic<std::uint64_t> total_bytes{0};

/// What a copy takes of the disk, until it goes.
class DiskShare {
  public:
    DiskShare() = default;
    DiskShare(const DiskShare&) = delete;
    DiskShare& operator=(const DiskShare&) = delete;
    ~DiskShare() { total_bytes -= bytes_; }

    /// False: that would be more than one copy, or all of them, may have.
    bool grow_to(std::uint64_t bytes) {
        if (bytes <= bytes_) return true;
        if (bytes > kMaxImageBytes) return false;
        const std::uint64_t more = bytes - bytes_;
        bytes_ = bytes;
        return (total_bytes += more) <= kMaxTotalBytes;
    }

  private:
    std::uint64_t bytes_ = 0;
};

UniqueFd temporary_file() {
    for (const char* folder : {"/var/tmp", "/tmp"}) {
        UniqueFd fd(::open(folder, kNamelessFile, 0600));
        if (fd.valid()) return fd;
    }
    return {};
}

class Writer {
  public:
    explicit Writer(const ElfImage& image) : image_(image), fd_(temporary_file()) {}

    Result<std::shared_ptr<ElfImage>> copy();

  private:
    Status fail(const std::string& reason) const { return Error{image_.name() + ": " + reason}; }
    Status write(Bytes bytes);
    Status inflate(Bytes compressed, std::uint64_t inflated_bytes);
    Status copy_section(Elf_Scn* section, std::string_view name, GElf_Shdr& header);
    Status copy_sections();
    Status write_headers();

    const ElfImage& image_;
    UniqueFd fd_;
    std::shared_ptr<DiskShare> disk_ = std::make_shared<DiskShare>();
    std::uint64_t position_ = sizeof(Elf64_Ehdr);
    std::vector<Elf64_Shdr> headers_{Elf64_Shdr{}};
};

/// Sections may lie over each other: a small file can hold any number of bytes.
Status Writer::write(Bytes bytes) {
    if (!disk_->grow_to(position_ + bytes.size()))
        return fail("its debug sections, inflated, are larger than is allowed");
    while (!bytes.empty()) {
        const ssize_t put =
            ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position_));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return errno_error(image_.name() + ": inflating debug sections to /var/tmp");
        position_ += static_cast<std::uint64_t>(put);
        bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return ok_status();
}

struct ZlibStream {
    z_stream stream{};
    bool ready = inflateInit(&stream) == Z_OK;
    ZlibStream() = default;
    ZlibStream(const ZlibStream&) = delete;
    ZlibStream& operator=(const ZlibStream&) = delete;
    ~ZlibStream() { inflateEnd(&stream); }
};

Status Writer::inflate(Bytes compressed, std::uint64_t inflated_bytes) {
    ZlibStream zlib;
    std::vector<std::uint8_t> chunk(kChunkBytes);
    if (!zlib.ready || compressed.size() > UINT32_MAX) return fail("cannot inflate");
    zlib.stream.next_in = const_cast<Bytef*>(compressed.data());
    zlib.stream.avail_in = static_cast<uInt>(compressed.size());
    std::uint64_t left = inflated_bytes;
    for (int status = Z_OK; status != Z_STREAM_END;) {
        zlib.stream.next_out = chunk.data();
        zlib.stream.avail_out = kChunkBytes;
        status = ::inflate(&zlib.stream, Z_NO_FLUSH);
        const std::size_t got = kChunkBytes - zlib.stream.avail_out;
        if ((status != Z_OK && status != Z_STREAM_END) || got > left) break;
        left -= got;
        if (auto written = write(Bytes(chunk.data(), got)); !written) return written;
    }
    return left == 0 ? ok_status() : fail("damaged compressed section");
}

Status Writer::copy_section(Elf_Scn* section, std::string_view name, GElf_Shdr& header) {
    const bool wanted =
        name.starts_with(".debug_") || name == ".gnu_debugaltlink" || header.sh_type == SHT_STRTAB;
    position_ = (position_ + 15) & ~std::uint64_t{15};
    const Elf_Data* data = wanted ? elf_rawdata(section, nullptr) : nullptr;
    const std::uint64_t begin = position_;
    header.sh_offset = begin;
    if (data == nullptr || data->d_buf == nullptr) {
        header.sh_type = SHT_NOBITS;
        header.sh_flags = 0;
        return ok_status();
    }
    const Bytes bytes(static_cast<const std::uint8_t*>(data->d_buf), data->d_size);
    if ((header.sh_flags & SHF_COMPRESSED) == 0) return write(bytes);
    GElf_Chdr compressed;
    if (gelf_getchdr(section, &compressed) == nullptr || bytes.size() < sizeof(Elf64_Chdr) ||
        compressed.ch_type != ELFCOMPRESS_ZLIB) {
        return fail("unknown compression");
    }
    header.sh_flags &= ~std::uint64_t{SHF_COMPRESSED};
    header.sh_size = compressed.ch_size;
    header.sh_addralign = 1;
    return inflate(bytes.subspan(sizeof(Elf64_Chdr)), compressed.ch_size);
}

Status Writer::copy_sections() {
    std::size_t names = 0;
    if (elf_getshdrstrndx(image_.elf(), &names) != 0) return fail("no section names");
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(image_.elf(), section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) return fail("damaged section header");
        const char* name = elf_strptr(image_.elf(), names, header.sh_name);
        if (auto copied = copy_section(section, name != nullptr ? name : "", header); !copied) {
            return copied;
        }
        headers_.push_back(header);
        if (headers_.size() > kMaxSections) return fail("too many sections");
    }
    return ok_status();
}

Status Writer::write_headers() {
    auto header = read_at<Elf64_Ehdr>(image_.bytes(), 0);
    std::size_t names = 0;
    if (!header || elf_getshdrstrndx(image_.elf(), &names) != 0 || names >= SHN_LORESERVE ||
        headers_.size() >= SHN_LORESERVE) {
        return fail("damaged header");
    }
    position_ = (position_ + 15) & ~std::uint64_t{15};
    header->e_phoff = 0;
    header->e_phnum = 0;
    header->e_shoff = position_;
    header->e_shnum = static_cast<Elf64_Half>(headers_.size());
    header->e_shstrndx = static_cast<Elf64_Half>(names);
    const auto* table = reinterpret_cast<const std::uint8_t*>(headers_.data());
    if (auto put = write(Bytes(table, headers_.size() * sizeof(Elf64_Shdr))); !put) return put;
    position_ = 0;
    return write(Bytes(reinterpret_cast<const std::uint8_t*>(&*header), sizeof(*header)));
}

Result<std::shared_ptr<ElfImage>> Writer::copy() {
    if (!fd_.valid()) return errno_error(image_.name() + ": temporary file in /var/tmp");
    if (auto copied = copy_sections(); !copied) return copied.error();
    if (auto written = write_headers(); !written) return written.error();
    auto file = MappedFile::map(fd_.get(), image_.name());
    if (!file) return file.error();
    auto opened = ElfImage::open(std::move(*file), image_.name());
    if (!opened) return opened.error();
    return std::shared_ptr<ElfImage>(
        new ElfImage(std::move(*opened)),
        [disk = disk_](ElfImage* copy) { std::default_delete<ElfImage>()(copy); });
}

}  // namespace

Result<std::shared_ptr<ElfImage>> inflate_debug_sections(const ElfImage& image) {
    const auto ident = read_at<Elf64_Ehdr>(image.bytes(), 0);
    if (!ident || ident->e_ident[EI_CLASS] != ELFCLASS64 ||
        ident->e_ident[EI_DATA] != ELFDATA2LSB) {
        return Error{image.name() + ": compressed sections of a foreign architecture"};
    }
    const std::uint64_t bytes = image.inflated_debug_bytes();
    if (bytes > kMaxImageBytes) {
        return Error{image.name() + ": compressed debug sections inflate to " +
                     std::to_string(bytes >> 20U) + " MiB, more than is allowed"};
    }
    return Writer(image).copy();
}

}  // namespace asrtrace::symbols
