// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// ELF files as nobody links them: many sections over the same bytes, and holes that no disk holds.
// One segment, of code, is at 0x1000 in the file and in memory.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace asrtrace {

class SparseElf {
  public:
    static constexpr std::uint64_t kText = 0x1000;
    static constexpr std::uint64_t kTextBytes = 0x1000;

    explicit SparseElf(const std::string& path) : file_(path, std::ios::binary | std::ios::trunc) {
        load({.p_type = PT_LOAD,
              .p_flags = PF_R | PF_X,
              .p_offset = kText,
              .p_vaddr = kText,
              .p_paddr = kText,
              .p_filesz = kTextBytes,
              .p_memsz = kTextBytes,
              .p_align = kText});
    }

    void load(const Elf64_Phdr& segment) { segments_.push_back(segment); }

    void put(std::uint64_t offset, std::string_view bytes) {
        file_.seekp(static_cast<std::streamoff>(offset));
        file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
    template <typename T>
    void put_record(std::uint64_t offset, const T& record) {
        put(offset, {reinterpret_cast<const char*>(&record), sizeof record});
    }

    /// Returns the section's index.
    std::uint32_t section(const std::string& name, Elf64_Shdr header) {
        header.sh_name = static_cast<Elf64_Word>(names_.size());
        names_ += name + '\0';
        sections_.push_back(header);
        return static_cast<std::uint32_t>(sections_.size());
    }
    /// The same header again and again.
    void repeat(std::size_t times, Elf64_Shdr header) {
        sections_.insert(sections_.end(), times, header);
    }

    /// Names and headers go to `offset`, which is the file's end.
    void finish(std::uint64_t offset) {
        Elf64_Shdr names{};
        names.sh_type = SHT_STRTAB;
        names.sh_offset = offset;
        const std::uint32_t index = section(".shstrtab", names);
        sections_.back().sh_size = names_.size();
        put(offset, names_);
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_version = EV_CURRENT;
        header.e_type = ET_DYN;
        header.e_machine = EM_X86_64;
        header.e_ehsize = sizeof header;
        header.e_phoff = sizeof header;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = static_cast<Elf64_Half>(segments_.size());
        header.e_shoff = (offset + names_.size() + 15) & ~std::uint64_t{15};
        header.e_shentsize = sizeof(Elf64_Shdr);
        header.e_shnum = static_cast<Elf64_Half>(sections_.size() + 1);
        header.e_shstrndx = static_cast<Elf64_Half>(index);
        put_record(0, header);
        put(sizeof header, {reinterpret_cast<const char*>(segments_.data()),
                            segments_.size() * sizeof(Elf64_Phdr)});
        put_record(header.e_shoff, Elf64_Shdr{});
        put(header.e_shoff + sizeof(Elf64_Shdr), {reinterpret_cast<const char*>(sections_.data()),
                                                  sections_.size() * sizeof(Elf64_Shdr)});
        file_.flush();
    }

  private:
    std::ofstream file_;
    std::string names_{'\0'};
    std::vector<Elf64_Phdr> segments_;
    std::vector<Elf64_Shdr> sections_;
};

}  // namespace asrtrace
