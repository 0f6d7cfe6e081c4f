// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/function_search.h"

#include <elf.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <utility>

#include "user/symbols/debug_files.h"
#include "user/symbols/demangle.h"
#include "user/symbols/mini_debug.h"
#include "user/symbols/symbol_table.h"

namespace asrtrace::symbols {
namespace {

std::string without_blanks(std::string_view text) {
    std::string result;
    std::remove_copy(text.begin(), text.end(), std::back_inserter(result), ' ');
    return result;
}

/// The identifier that ends the name proper: mangled names hold it as it is. Empty for operators.
std::string_view last_identifier(std::string_view name) {
    std::string_view plain = without_parameters(name);
    if (plain.find("operator") != std::string_view::npos) return {};
    if (plain.ends_with('>')) plain = plain.substr(0, plain.find('<'));
    std::size_t begin = plain.size();
    while (begin > 0 && (std::isalnum(static_cast<unsigned char>(plain[begin - 1])) != 0 ||
                         plain[begin - 1] == '_')) {
        --begin;
    }
    return plain.substr(begin);
}

class Matcher {
  public:
    explicit Matcher(std::string_view name)
        : exact_(name), plain_(without_blanks(name)), identifier_(last_identifier(name)) {}

    /// Demangling is what costs, so a name without the identifier is turned down before.
    bool matches(std::string_view symbol) const {
        if (symbol.substr(0, symbol.find('@')) == exact_) return true;
        if (symbol.find(identifier_) == std::string_view::npos) return false;
        const std::string demangled = demangle(symbol);
        return without_blanks(demangled) == plain_ ||
               without_blanks(without_parameters(demangled)) == plain_;
    }

  private:
    std::string_view exact_;
    std::string plain_;
    std::string_view identifier_;
};

class Search {
  public:
    Search(const ElfImage& image, std::string_view name) : image_(image), matcher_(name) {}

    void add(const ElfImage& holder, std::uint32_t type) {
        SymbolTable(holder, type, image_).for_each([this](const Symbol& symbol) {
            if (!matcher_.matches(symbol.name)) return;
            const auto offset = image_.file_offset_of(symbol.vaddr);
            if (!offset) return;
            found_.try_emplace(
                *offset,
                FunctionAddress{demangle(symbol.name), std::string(symbol.name), symbol.vaddr,
                                *offset, symbol.size_bytes, symbol.indirect});
        });
    }

    std::vector<FunctionAddress> take() {
        std::vector<FunctionAddress> result;
        for (auto& [offset, function] : found_) result.push_back(std::move(function));
        return result;
    }

  private:
    const ElfImage& image_;
    Matcher matcher_;
    std::map<std::uint64_t, FunctionAddress> found_;
};

Result<std::vector<FunctionAddress>> search(const TargetFiles& files, Result<MappedFile> file,
                                            const std::string& path, std::string_view name) {
    if (!file) return file.error();
    auto image = ElfImage::open(std::move(*file), path);
    if (!image) return image.error();
    if (name.empty()) return Error{path + ": empty function name"};
    Search search(*image, name);
    search.add(*image, SHT_SYMTAB);
    search.add(*image, SHT_DYNSYM);
    if (const auto debug = files.find_debug(*image, path)) search.add(*debug, SHT_SYMTAB);
    if (auto mini = open_mini_debug(*image); mini && *mini != nullptr) {
        search.add(**mini, SHT_SYMTAB);
    }
    return search.take();
}

}  // namespace

Result<std::vector<FunctionAddress>> find_function(pid_t pid, const MapsEntry& entry,
                                                   std::string_view name,
                                                   const SymbolizerOptions& options) {
    const TargetFiles files(pid, options.root, options.debug_directories, options.debuginfod);
    return search(files, files.open_mapping(entry), entry.path, name);
}

Result<std::vector<FunctionAddress>> find_function(const std::string& path, std::string_view name,
                                                   const SymbolizerOptions& options) {
    const TargetFiles files(0, options.root.empty() ? "/" : options.root, options.debug_directories,
                            options.debuginfod);
    return search(files, MappedFile::open(path), path, name);
}

Result<std::string> read_build_id(const std::string& path) {
    auto file = MappedFile::open(path);
    if (!file) return file.error();
    auto image = ElfImage::open(std::move(*file), path);
    if (!image) return image.error();
    return build_id_hex(image->build_id());
}

}  // namespace asrtrace::symbols
