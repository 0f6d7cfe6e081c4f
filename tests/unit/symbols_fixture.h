// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the symbol tests share: a scratch directory, commands, and files looked up as if mapped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "user/symbols/symbolizer.h"

namespace asrtrace::symbols::testing {

/// A directory that goes away with the object.
class ScratchDirectory {
  public:
    ScratchDirectory();
    ~ScratchDirectory();
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

/// Standard output of a shell command; fails the test if its status is not 0.
std::string run(const std::string& command);

std::vector<std::uint8_t> read_bytes(const std::string& path, std::size_t limit = SIZE_MAX);
void write_bytes(const std::string& path, const std::vector<std::uint8_t>& bytes);

/// A file looked up as if this process had mapped the whole of it executable.
class MappedImage {
  public:
    explicit MappedImage(const std::string& path, SymbolizerOptions options = {});

    /// Frames of an ELF virtual address.
    std::vector<SourceFrame> at(std::uint64_t vaddr);
    /// Frames of an offset in the file.
    std::vector<SourceFrame> at_offset(std::uint64_t file_offset);
    Symbolizer& symbolizer() { return symbolizer_; }

  private:
    Symbolizer symbolizer_;
    struct Load {
        std::uint64_t vaddr, offset, bytes;
    };
    std::vector<Load> loads_;
};

/// Entry and size of a function whose .symtab or .dynsym name is exactly `symbol`, from nm.
struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
};
Extent extent_of(const std::string& path, const std::string& symbol, const char* nm_flags = "");

/// All functions with a size in .symtab, from nm. What lies between them is padding.
std::vector<Extent> functions_of(const std::string& path);

}  // namespace asrtrace::symbols::testing
