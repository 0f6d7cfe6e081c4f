// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/module.h"

#include <elf.h>

#include <algorithm>
#include <utility>

#include "user/base/escape.h"
#include "user/symbols/demangle.h"
#include "user/symbols/inflate.h"
#include "user/symbols/mini_debug.h"

namespace asrtrace::symbols {
namespace {

/// Resident pages of one module's files that lookups may leave behind.
constexpr std::size_t kMaxTouchedBytes = std::size_t{16} << 20U;

/// Compressed debug sections from this size on are inflated to a file.
constexpr std::uint64_t kMinInflateBytes = std::uint64_t{64} << 10U;
constexpr std::uint64_t kMaxMemoryImageInflatedBytes = std::uint64_t{4} << 20U;

/// _start of glibc's crt1.o has 34 bytes on x86-64, 52 on arm64, the next function begins at
/// 48, 64.
constexpr std::uint64_t kStartBytes = 48;

bool has_dwarf(const ElfImage& image) {
    return image.has_section(".debug_info") || image.has_section(".zdebug_info");
}

/// DWARF's name without its template arguments occurs in the demangled symbol.
bool holds_name_of(const std::string& demangled, const RawFrame& raw) {
    std::string_view name = raw.name;
    name = name.substr(0, name.find('<'));
    name.remove_prefix(name.rfind(':') + 1);
    return demangled.find(name) != std::string::npos;
}

}  // namespace

Module::Module(std::string path, Result<MappedFile> file, std::shared_ptr<const TargetFiles> files,
               std::uint64_t max_inflated_bytes)
    : path_(std::move(path)), files_(std::move(files)), max_inflated_bytes_(max_inflated_bytes) {
    if (file) {
        take_image(ElfImage::open(std::move(*file), path_));
    } else {
        note_failure(file.error());
    }
}

Module::Module(std::string path, std::vector<std::uint8_t> memory)
    : path_(std::move(path)), max_inflated_bytes_(kMaxMemoryImageInflatedBytes) {
    take_image(ElfImage::open(std::move(memory), path_));
}

void Module::take_image(Result<ElfImage> image) {
    if (image) {
        image_ = std::make_unique<ElfImage>(std::move(*image));
    } else {
        note_failure(image.error());
    }
}

void Module::note_failure(const Error& error) {
    errors_.push_back(error.message);
}

std::vector<std::string> Module::take_errors() {
    return std::exchange(errors_, {});
}

std::optional<std::uint64_t> Module::vaddr_of(std::uint64_t file_offset) const {
    if (failed()) return {};
    return image_->vaddr_of(file_offset);
}

void Module::load() {
    if (loaded_ || failed()) return;
    loaded_ = true;
    if (!has_dwarf(*image_) && files_ != nullptr) debug_ = files_->find_debug(*image_, path_);
    if (!debug_refused_) load_debug_info();
    load_tables();
}

/// Small compressed sections (or all, where no temporary file can be had) are left to libdw.
const ElfImage& Module::inflated(const ElfImage& debug) {
    if (inflated_ != nullptr) return *inflated_;
    if (inflate_failed_ || debug.inflated_debug_bytes() < kMinInflateBytes) return debug;
    auto copy = inflate_debug_sections(debug);
    if (!copy) {
        inflate_failed_ = true;
        note_failure(copy.error());
        return debug;
    }
    inflated_ = std::move(*copy);
    return *inflated_;
}

void Module::load_debug_info() {
    const ElfImage& debug = debug_ != nullptr ? *debug_ : *image_;
    if (!has_dwarf(debug)) return;
    if (files_ != nullptr && debug.has_section(".gnu_debugaltlink")) {
        shared_ = files_->find_shared(debug);
    }
    auto info = DebugInfo::open(inflated(debug), *image_, shared_.get(), max_inflated_bytes_);
    if (!info) {
        debug_refused_ = true;
        return note_failure(info.error());
    }
    info_ = std::move(*info);
}

void Module::add_table(const ElfImage& image, std::uint32_t type, const char* source) {
    SymbolTable table(image, type, *image_);
    if (!table.empty()) tables_.push_back({std::move(table), source});
}

void Module::load_tables() {
    if (debug_ != nullptr) add_table(*debug_, SHT_SYMTAB, "symtab");
    if (tables_.empty()) add_table(*image_, SHT_SYMTAB, "symtab");
    if (!tables_.empty()) return;  // .symtab has all that .dynsym has
    auto mini = open_mini_debug(*image_);
    if (!mini) {
        note_failure(mini.error());
    } else if (*mini != nullptr) {
        mini_ = std::move(*mini);
        add_table(*mini_, SHT_SYMTAB, "debugdata");
    }
    add_table(*image_, SHT_DYNSYM, "dynsym");
}

std::string Module::source() {
    load();
    if (info_ != nullptr) return "dwarf";
    return tables_.empty() ? "none" : tables_.front().source;
}

std::optional<Symbol> Module::find_symbol(std::uint64_t vaddr) const {
    for (const Table& table : tables_) {
        if (auto symbol = table.symbols.find(vaddr)) return symbol;
    }
    // What every linker calls it, also where strip took the name: the root of most stacks.
    const auto entry = image_->program_entry();
    if (entry && vaddr - *entry < kStartBytes) return Symbol{*entry, kStartBytes, "_start", false};
    return {};
}

/// A function that is not inlined and that DWARF gives no mangled name: C, or local to a file.
std::string Module::outer_name(const RawFrame& raw, std::uint64_t vaddr) const {
    const std::string& plain = raw.linkage_name.empty() ? raw.name : raw.linkage_name;
    const auto symbol = find_symbol(vaddr);
    if (!symbol) return plain;
    std::string name = demangle(symbol->name);
    name.resize(std::min(name.find(" [clone"), name.size()));  // .cold is a part of the function
    // The symbol table knows the parameters of local C++ functions.
    if (raw.linkage_name.empty() && is_mangled(symbol->name) && holds_name_of(name, raw))
        return name;
    // Several names for one address: "malloc" says more than "__GI___libc_malloc".
    for (const Table& table : tables_) {
        if (table.symbols.has_name(symbol->vaddr, plain)) return name;
    }
    return plain;
}

NamedFrame Module::name_raw(const RawFrame& raw, std::uint64_t vaddr) const {
    NamedFrame frame{cut_text(raw.name), raw.file, raw.line, raw.inlined};
    if (is_mangled(raw.linkage_name)) {
        frame.function = demangle(raw.linkage_name);
    } else if (!raw.inlined) {
        frame.function = cut_text(outer_name(raw, vaddr));
    } else if (raw.name.empty()) {
        frame.function = cut_text(raw.linkage_name);
    }
    return frame;
}

std::vector<NamedFrame> Module::frames_at(std::uint64_t vaddr) {
    std::vector<NamedFrame> frames;
    if (failed()) return frames;
    load();
    RawFrame place;
    if (info_ != nullptr) {
        for (const RawFrame& raw : info_->frames_at(vaddr, place)) {
            frames.push_back(name_raw(raw, vaddr));
        }
        drop_touched_pages();
        if (info_->exhausted()) {
            debug_refused_ = true;
            note_failure({path_ + ": its DWARF takes too long to read; using its symbols only"});
            release();
            load();
        }
    }
    if (!frames.empty()) return frames;
    const auto symbol = find_symbol(vaddr);
    if (!symbol && place.line == 0) return frames;
    frames.push_back({symbol ? demangle(symbol->name) : "", place.file, place.line, false});
    return frames;
}

void Module::drop_touched_pages() {
    touched_bytes_ += info_->take_touched_bytes();
    if (touched_bytes_ < kMaxTouchedBytes) return;
    touched_bytes_ = 0;
    image_->file().drop_pages();
    if (debug_ != nullptr) debug_->file().drop_pages();
    if (inflated_ != nullptr) inflated_->file().drop_pages();
    if (shared_ != nullptr) shared_->file().drop_pages();
}

std::size_t Module::cost_bytes() const {
    std::size_t bytes = info_ != nullptr ? info_->cost_bytes() : 0;
    if (mini_ != nullptr) bytes += mini_->bytes().size();
    for (const Table& table : tables_) bytes += table.symbols.cost_bytes();
    return bytes;
}

void Module::release() {
    tables_.clear();
    info_.reset();
    mini_.reset();
    shared_.reset();
    debug_.reset();
    loaded_ = false;
    if (inflated_ != nullptr) inflated_->file().drop_pages();
    if (failed()) return;
    image_->file().drop_pages();
    if (!image_->reopen()) image_.reset();  // frees sections that libelf inflated
}

}  // namespace asrtrace::symbols
