// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/elf_module.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kMaxProgramHeaders = 4096;
constexpr std::uint64_t kMaxSections = 65536;
constexpr std::uint64_t kMaxDynamic = 65536;
constexpr std::uint64_t kMaxNotes = 65536;
constexpr std::uint64_t kMaxNoteBytes = 16ULL << 20;
constexpr std::uint64_t kMaxSearch = 64ULL << 20;
constexpr std::uint64_t kMaxString = 4096;

/// Elements of a table of T; nothing if it does not lie in the file.
template <typename T>
std::optional<std::vector<T>> read_table(const ByteSource& source, std::uint64_t offset,
                                         std::uint64_t count) {
    const auto length = checked_mul<std::uint64_t>(count, sizeof(T));
    const auto bytes = length ? source.read(offset, *length) : std::nullopt;
    if (!bytes) return std::nullopt;
    std::vector<T> table(count);
    if (count > 0) std::memcpy(table.data(), bytes->data(), bytes->size());
    return table;
}

std::string hex(Bytes bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 0xf];
    }
    return text;
}

/// The notes in `bytes` (gABI, "Note Section"; 4-byte alignment as GNU tools write it).
std::vector<ElfNote> parse_notes(Bytes bytes) {
    std::vector<ElfNote> notes;
    std::size_t at = 0;
    const auto padded = [](std::uint32_t n) { return (std::uint64_t{n} + 3) & ~3ULL; };
    while (notes.size() < kMaxNotes) {
        const auto header = read_at<Elf64_Nhdr>(bytes, at);
        if (!header) break;
        at += sizeof(Elf64_Nhdr);
        const auto owner = slice_at(bytes, at, header->n_namesz);
        const auto desc = slice_at(bytes, at + padded(header->n_namesz), header->n_descsz);
        if (!owner || !desc) break;
        ElfNote note;
        note.owner.assign(owner->begin(), std::find(owner->begin(), owner->end(), 0));
        note.type = header->n_type;
        note.desc.assign(desc->begin(), desc->end());
        notes.push_back(std::move(note));
        at += padded(header->n_namesz) + padded(header->n_descsz);
    }
    return notes;
}

Status check_header(const Elf64_Ehdr& header, const std::string& name) {
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return Error{name + ": no ELF file"};
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
        return Error{name + ": not a 64-bit little-endian ELF file"};
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        return Error{name + ": neither an executable nor a shared library"};
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
        header.e_phnum > kMaxProgramHeaders)
        return Error{name + ": damaged ELF header"};
    return ok_status();
}

}  // namespace

/// The entries of PT_DYNAMIC that matter here; 0 for absent ones.
struct ElfModule::Dynamic {
    std::uint64_t symbols = 0, strings = 0, strings_size = 0;
    std::uint64_t hash = 0, gnu_hash = 0, soname = 0, flags_1 = 0;
    bool needs = false;

    explicit Dynamic(const std::vector<Elf64_Dyn>& entries) {
        for (const Elf64_Dyn& entry : entries) {
            if (entry.d_tag == DT_NULL) break;
            if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
            if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
            if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
            if (entry.d_tag == DT_HASH) hash = entry.d_un.d_ptr;
            if (entry.d_tag == DT_GNU_HASH) gnu_hash = entry.d_un.d_ptr;
            if (entry.d_tag == DT_SONAME) soname = entry.d_un.d_val;
            if (entry.d_tag == DT_FLAGS_1) flags_1 = entry.d_un.d_val;
            if (entry.d_tag == DT_NEEDED) needs = true;
        }
    }
};

Result<ElfModule> ElfModule::open(const std::string& path) {
    auto source = ByteSource::open(path);
    if (!source) return source.error();
    return parse(std::move(*source), path);
}

Result<ElfModule> ElfModule::from_bytes(std::vector<std::uint8_t> bytes, std::string name) {
    return parse(ByteSource::from_bytes(std::move(bytes)), std::move(name));
}

Result<ElfModule> ElfModule::parse(ByteSource source, std::string name) {
    const auto header = source.value<Elf64_Ehdr>(0);
    if (!header) return Error{name + ": too short for an ELF file"};
    if (auto status = check_header(*header, name); !status) return status.error();
    const auto segments = read_table<Elf64_Phdr>(source, header->e_phoff, header->e_phnum);
    if (!segments) return Error{name + ": program headers are not in the file"};

    ElfModule module;
    module.source_ = std::move(source);
    module.name_ = std::move(name);
    module.machine_ = header->e_machine;
    module.fixed_address_ = header->e_type == ET_EXEC;
    module.is_static_ = module.fixed_address_;
    for (const Elf64_Phdr& segment : *segments) {
        if (segment.p_type == PT_INTERP)
            module.interpreter_ = module.string_at(segment.p_offset, segment.p_filesz);
        if (segment.p_type == PT_LOAD)
            module.segments_.push_back({segment.p_vaddr, segment.p_offset, segment.p_filesz,
                                        (segment.p_flags & PF_X) != 0,
                                        (segment.p_flags & PF_W) != 0});
        if (segment.p_type == PT_NOTE && module.build_id_.empty())
            module.read_build_id(segment.p_offset, segment.p_filesz);
    }
    if (header->e_shoff != 0 && header->e_shentsize == sizeof(Elf64_Shdr))
        module.read_sections(header->e_shoff, header->e_shnum, header->e_shstrndx);
    module.add_symbol_tables();
    for (const Elf64_Phdr& segment : *segments)
        if (segment.p_type == PT_DYNAMIC) module.read_dynamic(segment.p_offset, segment.p_filesz);
    if (!module.interpreter_.empty()) module.is_static_ = false;
    return module;
}

void ElfModule::read_sections(std::uint64_t offset, std::uint64_t count,
                              std::uint64_t names_index) {
    // gABI: with 0xff00 sections or more the true numbers are in the first header.
    const auto first = source_.value<Elf64_Shdr>(offset);
    if (first && count == 0) count = first->sh_size;
    if (first && names_index == SHN_XINDEX) names_index = first->sh_link;
    if (count > kMaxSections) return;
    const auto headers = read_table<Elf64_Shdr>(source_, offset, count);
    if (!headers) return;
    std::vector<std::uint8_t> names;
    if (names_index < headers->size()) {
        const Elf64_Shdr& strings = (*headers)[names_index];
        if (auto bytes = source_.read(strings.sh_offset, strings.sh_size))
            names = std::move(*bytes);
    }
    for (const Elf64_Shdr& header : *headers) {
        ElfSection section;
        if (const auto rest = std::min<std::size_t>(header.sh_name, names.size());
            rest < names.size()) {
            const auto begin = names.begin() + static_cast<std::ptrdiff_t>(rest);
            const auto limit = begin + std::min<std::ptrdiff_t>(names.end() - begin, 256);
            section.name.assign(begin, std::find(begin, limit, 0));
        }
        section.type = header.sh_type;
        section.link = header.sh_link;
        section.vaddr = header.sh_addr;
        section.offset = header.sh_offset;
        section.size_bytes = header.sh_size;
        sections_.push_back(std::move(section));
    }
}

void ElfModule::add_symbol_tables() {
    for (const auto type : {std::uint32_t{SHT_DYNSYM}, std::uint32_t{SHT_SYMTAB}}) {
        for (const ElfSection& section : sections_) {
            if (section.type != type || section.link >= sections_.size()) continue;
            const ElfSection& strings = sections_[section.link];
            tables_.push_back({section.offset, section.size_bytes / sizeof(Elf64_Sym),
                               strings.offset, strings.size_bytes, type == SHT_DYNSYM});
            break;  // the gABI allows one of each type
        }
    }
}

void ElfModule::read_dynamic(std::uint64_t offset, std::uint64_t size) {
    const auto entries =
        read_table<Elf64_Dyn>(source_, offset, std::min(size / sizeof(Elf64_Dyn), kMaxDynamic));
    if (!entries) return;
    const Dynamic dynamic(*entries);
    // A static PIE has a PT_DYNAMIC for its own relocations, but needs nobody.
    if ((dynamic.flags_1 & DF_1_PIE) != 0 && !dynamic.needs) is_static_ = true;
    const auto strings = file_offset(dynamic.strings);
    if (!strings) return;
    if (dynamic.soname != 0 && dynamic.soname < dynamic.strings_size)
        soname_ = string_at(*strings + dynamic.soname, dynamic.strings_size - dynamic.soname);
    const bool have_exported = !tables_.empty() && tables_.front().exported;
    const auto symbols = file_offset(dynamic.symbols);
    if (have_exported || !symbols) return;
    // Section headers are gone (sstrip): only a hash table tells how many symbols there are.
    std::uint64_t count = 0;
    if (dynamic.hash != 0) {
        const auto words = bytes_at(dynamic.hash, 8);
        if (words) count = read_at<std::uint32_t>(*words, 4).value_or(0);
    } else if (dynamic.gnu_hash != 0) {
        count = count_gnu_hash(dynamic.gnu_hash);
    }
    tables_.insert(tables_.begin(), {*symbols, count, *strings, dynamic.strings_size, true});
}

/// DT_GNU_HASH names no count: the last chain's end is it (binutils' bfd/elflink.c writes
/// nbuckets, symoffset, bloom words, bloom shift, bloom[], buckets[], chain[]).
std::uint64_t ElfModule::count_gnu_hash(std::uint64_t vaddr) const {
    const auto header = bytes_at(vaddr, 16);
    if (!header) return 0;
    const std::uint64_t buckets = *read_at<std::uint32_t>(*header, 0);
    const std::uint64_t first_symbol = *read_at<std::uint32_t>(*header, 4);
    const std::uint64_t bloom_words = *read_at<std::uint32_t>(*header, 8);
    const std::uint64_t buckets_at = vaddr + 16 + bloom_words * 8;
    const auto table = bytes_at(buckets_at, buckets * 4);
    if (!table) return 0;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < buckets; ++i)
        last = std::max<std::uint64_t>(last, *read_at<std::uint32_t>(*table, i * 4));
    if (last < first_symbol) return first_symbol;
    const std::uint64_t chain = buckets_at + buckets * 4;
    for (std::uint64_t i = 0; i < 65536; ++i) {
        const auto word = bytes_at(chain + (last + i - first_symbol) * 4, 4);
        if (!word) return 0;
        if ((*read_at<std::uint32_t>(*word, 0) & 1) != 0) return last + i + 1;
    }
    return 0;
}

void ElfModule::read_build_id(std::uint64_t offset, std::uint64_t size) {
    const auto bytes = source_.read(offset, std::min(size, kMaxNoteBytes));
    if (!bytes) return;
    for (const ElfNote& note : parse_notes(*bytes))
        if (note.owner == "GNU" && note.type == NT_GNU_BUILD_ID && note.desc.size() <= 64)
            build_id_ = hex(note.desc);
}

std::string ElfModule::string_at(std::uint64_t offset, std::uint64_t limit) const {
    if (offset >= source_.size()) return {};
    limit = std::min({limit, kMaxString, source_.size() - offset});
    const auto bytes = source_.read(offset, limit);
    if (!bytes) return {};
    return {bytes->begin(), std::find(bytes->begin(), bytes->end(), 0)};
}

const ElfSection* ElfModule::find_section(std::string_view name) const {
    const auto found = std::find_if(sections_.begin(), sections_.end(),
                                    [&](const ElfSection& s) { return s.name == name; });
    return found == sections_.end() ? nullptr : &*found;
}

const ElfSegment* ElfModule::find_segment(std::uint64_t vaddr) const {
    const auto found = std::find_if(segments_.begin(), segments_.end(), [&](const ElfSegment& s) {
        return vaddr >= s.vaddr && vaddr - s.vaddr < s.file_size;
    });
    return found == segments_.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> ElfModule::file_offset(std::uint64_t vaddr) const {
    const ElfSegment* segment = find_segment(vaddr);
    if (segment == nullptr) return std::nullopt;
    const auto offset = checked_add(segment->offset, vaddr - segment->vaddr);
    return offset && *offset < source_.size() ? offset : std::nullopt;
}

std::optional<std::vector<std::uint8_t>> ElfModule::bytes_at(std::uint64_t vaddr,
                                                             std::uint64_t length) const {
    const ElfSegment* segment = find_segment(vaddr);
    const auto offset = file_offset(vaddr);
    if (!offset || segment->file_size - (vaddr - segment->vaddr) < length) return std::nullopt;
    return source_.read(*offset, length);
}

std::vector<std::uint8_t> ElfModule::bytes_up_to(std::uint64_t vaddr, std::uint64_t limit) const {
    const ElfSegment* segment = find_segment(vaddr);
    const auto offset = file_offset(vaddr);
    if (!offset) return {};
    limit =
        std::min({limit, segment->file_size - (vaddr - segment->vaddr), source_.size() - *offset});
    return source_.read(*offset, limit).value_or(std::vector<std::uint8_t>{});
}

std::vector<ElfNote> ElfModule::notes(std::string_view name) const {
    const ElfSection* section = find_section(name);
    if (section == nullptr || section->type != SHT_NOTE) return {};
    const auto bytes = source_.read(section->offset, std::min(section->size_bytes, kMaxNoteBytes));
    return bytes ? parse_notes(*bytes) : std::vector<ElfNote>{};
}

std::optional<std::string> ElfModule::find_text(std::string_view needle, std::size_t length) const {
    std::optional<std::string> found;
    const auto search = [&](std::uint64_t, Bytes piece) {
        const std::string_view text(reinterpret_cast<const char*>(piece.data()), piece.size());
        const std::size_t at = text.find(needle);
        if (at == std::string_view::npos) return true;
        const std::string_view tail = text.substr(at, length);
        found = std::string(tail.substr(0, tail.find('\0')));
        return false;
    };
    std::uint64_t left = kMaxSearch;
    for (const ElfSegment& segment : segments_) {
        if (segment.writable || found) continue;
        const std::uint64_t bytes = std::min(segment.file_size, left);
        source_.stream(segment.offset, bytes, needle.size() + length, search);
        left -= bytes;
    }
    return found;
}

std::string ElfModule::glibc_version() const {
    // "GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36."
    const auto banner = find_text("GNU C Library (", 160);
    constexpr std::string_view kBefore = "release version ";
    const std::size_t at = banner ? banner->find(kBefore) : std::string::npos;
    if (at == std::string::npos) return {};
    std::string version;
    for (const char c : std::string_view(*banner).substr(at + kBefore.size())) {
        const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
        if (!digit && c != '.') break;
        version += c;
    }
    while (version.ends_with('.')) version.pop_back();
    return version;
}

}  // namespace asrtrace::capture
