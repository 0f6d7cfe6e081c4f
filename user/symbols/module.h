// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// One executable file (or the vdso) and everything that names its addresses. What can be built
// again is built at the first lookup and dropped by release().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "user/symbols/debug_files.h"
#include "user/symbols/debug_info.h"
#include "user/symbols/elf_image.h"
#include "user/symbols/symbol_table.h"

namespace asrtrace::symbols {

struct NamedFrame {
    std::string function;  ///< demangled; empty if unknown
    std::string file;
    std::uint32_t line = 0;
    bool inlined = false;
};

class Module {
  public:
    /// `path` as in maps. A file that could not be opened makes a module without names.
    Module(std::string path, Result<MappedFile> file, std::shared_ptr<const TargetFiles> files,
           std::uint64_t max_inflated_bytes);
    /// The vdso: an image read from the target's memory.
    Module(std::string path, std::vector<std::uint8_t> image);

    const std::string& path() const { return path_; }
    /// Not readable or no ELF file.
    bool failed() const { return image_ == nullptr; }
    std::string build_id() const { return failed() ? "" : image_->build_id(); }
    /// "dwarf", "symtab", "debugdata", "dynsym" or "none"; loads what it needs to know that.
    std::string source();

    std::optional<std::uint64_t> vaddr_of(std::uint64_t file_offset) const;
    /// Innermost first; empty if nothing is known about `vaddr`.
    std::vector<NamedFrame> frames_at(std::uint64_t vaddr);

    /// Heap memory that release() gives back, about.
    std::size_t cost_bytes() const;
    void release();

    /// Failures since the last call: messages that name the file.
    std::vector<std::string> take_errors();

  private:
    struct Table {
        SymbolTable symbols;
        const char* source;
    };
    void take_image(Result<ElfImage> image);
    void load();
    void load_debug_info();
    const ElfImage& inflated(const ElfImage& debug);
    void load_tables();
    void add_table(const ElfImage& image, std::uint32_t type, const char* source);
    void note_failure(const Error& error);
    std::optional<Symbol> find_symbol(std::uint64_t vaddr) const;
    std::string outer_name(const RawFrame& raw, std::uint64_t vaddr) const;
    NamedFrame name_raw(const RawFrame& raw, std::uint64_t vaddr) const;
    void drop_touched_pages();

    std::string path_;
    std::shared_ptr<const TargetFiles> files_;
    std::uint64_t max_inflated_bytes_ = 0;
    std::unique_ptr<ElfImage> image_;
    std::unique_ptr<ElfImage> debug_;     ///< separate debug file
    std::shared_ptr<ElfImage> inflated_;  ///< of either; kept by release(), it is not in memory
    std::unique_ptr<ElfImage> shared_;    ///< dwz's
    std::unique_ptr<ElfImage> mini_;      ///< .gnu_debugdata
    std::unique_ptr<DebugInfo> info_;
    std::vector<Table> tables_;
    std::vector<std::string> errors_;
    bool loaded_ = false;
    bool inflate_failed_ = false;
    bool debug_refused_ = false;  ///< its DWARF failed once; not tried again
    std::size_t touched_bytes_ = 0;
};

}  // namespace asrtrace::symbols
