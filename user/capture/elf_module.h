// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A module file of the target as far as probes need it: where symbols lie in the file, the bytes of
// their instructions, notes, and what the module says of itself. The file belongs to an untrusted
// process: every read is checked and every table bounded, so that a damaged or malicious file is an
// answer that is empty or an Error, never a crash, and costs bounded memory. ELF64, little endian
// (System V ABI gABI 4.1; the x86-64 and AArch64 supplements).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"
#include "user/capture/byte_source.h"

namespace asrtrace::capture {

/// A PT_LOAD: [vaddr, vaddr + file_size) is what [offset, offset + file_size) of the file holds.
struct ElfSegment {
    std::uint64_t vaddr = 0;
    std::uint64_t offset = 0;
    std::uint64_t file_size = 0;
    bool executable = false;
    bool writable = false;
};

struct ElfSymbol {
    std::string name;
    std::uint64_t vaddr = 0;
    std::uint64_t size_bytes = 0;   ///< 0 where the file does not say
    std::uint64_t file_offset = 0;  ///< 0 for what is not in the file (.bss)
    /// Code in the file; false for data and for an IFUNC, whose code is its resolver's.
    bool function = false;
    bool ifunc = false;
};

struct ElfSection {
    std::string name;
    std::uint32_t type = 0;
    std::uint32_t link = 0;
    std::uint64_t vaddr = 0;
    std::uint64_t offset = 0;
    std::uint64_t size_bytes = 0;
};

struct ElfNote {
    std::string owner;
    std::uint32_t type = 0;
    std::vector<std::uint8_t> desc;
};

class ElfModule {
  public:
    /// Error: cannot be read, is no ELF64 little-endian executable or library, or is cut short.
    static Result<ElfModule> open(const std::string& path);
    static Result<ElfModule> from_bytes(std::vector<std::uint8_t> bytes, std::string name);

    const std::string& name() const { return name_; }
    std::uint16_t machine() const { return machine_; }     ///< EM_X86_64, EM_AARCH64 ...
    bool fixed_address() const { return fixed_address_; }  ///< ET_EXEC: vaddr is the address
    /// An executable that no loader fills in: nothing in it can be interposed.
    bool is_static() const { return is_static_; }
    const std::string& interpreter() const { return interpreter_; }
    const std::string& soname() const { return soname_; }
    /// Lower-case hex; empty if there is none.
    const std::string& build_id() const { return build_id_; }
    const std::vector<ElfSegment>& segments() const { return segments_; }
    const std::vector<ElfSection>& sections() const { return sections_; }
    const ElfSection* find_section(std::string_view name) const;

    /// Offset in the file of a byte at `vaddr`; nothing if no segment's file part holds it.
    std::optional<std::uint64_t> file_offset(std::uint64_t vaddr) const;
    const ElfSegment* find_segment(std::uint64_t vaddr) const;

    /// Exactly `length` bytes from `vaddr` on.
    std::optional<std::vector<std::uint8_t>> bytes_at(std::uint64_t vaddr,
                                                      std::uint64_t length) const;
    /// As many of `limit` bytes as the segment of `vaddr` holds.
    std::vector<std::uint8_t> bytes_up_to(std::uint64_t vaddr, std::uint64_t limit) const;

    /// Defined symbols of these exact names, .dynsym first, then .symtab. One table pass for all
    /// names; an absent name is absent in the answer. Several symbols may share a name.
    std::vector<ElfSymbol> find_symbols(std::span<const std::string_view> names) const;
    /// Only what other modules can bind to (.dynsym).
    std::vector<ElfSymbol> find_exported(std::span<const std::string_view> names) const;
    std::optional<ElfSymbol> find_function(std::string_view name) const;

    /// Notes of the section `name`, at most 65,536.
    std::vector<ElfNote> notes(std::string_view name) const;

    /// The text from the first place where a read-only segment says `needle`, up to `length` bytes
    /// or its NUL; nothing if it is not in the first 64 MiB of them.
    std::optional<std::string> find_text(std::string_view needle, std::size_t length) const;
    /// "2.36" from glibc's banner; empty if this is no glibc.
    std::string glibc_version() const;

    const ByteSource& source() const { return source_; }

  private:
    struct SymbolTable {
        std::uint64_t offset = 0;
        std::uint64_t count = 0;
        std::uint64_t strings_offset = 0;
        std::uint64_t strings_size = 0;
        bool exported = false;
    };
    struct Dynamic;

    static Result<ElfModule> parse(ByteSource source, std::string name);
    void read_sections(std::uint64_t offset, std::uint64_t count, std::uint64_t names_index);
    void add_symbol_tables();
    void read_dynamic(std::uint64_t offset, std::uint64_t size);
    std::uint64_t count_gnu_hash(std::uint64_t vaddr) const;
    void read_build_id(std::uint64_t offset, std::uint64_t size);
    std::string string_at(std::uint64_t offset, std::uint64_t limit) const;
    std::vector<ElfSymbol> find_in_tables(std::span<const std::string_view> names,
                                          bool exported_only) const;
    void find_in_table(const SymbolTable& table, std::span<const std::string_view> names,
                       std::vector<ElfSymbol>& out) const;

    ByteSource source_;
    std::string name_;
    std::uint16_t machine_ = 0;
    bool fixed_address_ = false;
    bool is_static_ = false;
    std::string interpreter_;
    std::string soname_;
    std::string build_id_;
    std::vector<ElfSegment> segments_;
    std::vector<ElfSection> sections_;
    std::vector<SymbolTable> tables_;
};

}  // namespace asrtrace::capture
