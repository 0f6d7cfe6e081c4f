// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/symbols_fixture.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

#include "user/base/bytes.h"

namespace asrtrace::symbols::testing {
namespace {

constexpr std::uint64_t kBase = 0x5000'0000'0000;

}  // namespace

ScratchDirectory::ScratchDirectory() {
    std::string name =
        (std::filesystem::temp_directory_path() / "asrtrace-symbols-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string run(const std::string& command) {
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT: fixed commands of the tests
    if (pipe == nullptr) std::abort();
    std::array<char, 65536> buffer{};
    std::size_t got = 0;
    while ((got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
        output.append(buffer.data(), got);
    }
    EXPECT_EQ(::pclose(pipe), 0) << command;
    return output;
}

std::vector<std::uint8_t> read_bytes(const std::string& path, std::size_t limit) {
    std::vector<std::uint8_t> bytes(std::min(limit, std::filesystem::file_size(path)));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

void write_bytes(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

MappedImage::MappedImage(const std::string& path, SymbolizerOptions options)
    : symbolizer_(::getpid(), std::move(options)) {
    const std::vector<std::uint8_t> bytes = read_bytes(path, 1 << 16);
    const auto header = read_at<Elf64_Ehdr>(bytes, 0);
    for (std::size_t i = 0; header && i < header->e_phnum; ++i) {
        const auto load = read_at<Elf64_Phdr>(bytes, header->e_phoff + i * sizeof(Elf64_Phdr));
        if (!load || load->p_type != PT_LOAD) continue;
        loads_.push_back({load->p_vaddr, load->p_offset, load->p_filesz});
    }
    struct stat status {};
    ::stat(path.c_str(), &status);
    MapsEntry entry;
    entry.begin = kBase;
    entry.end = kBase + (std::uint64_t{1} << 32U);
    entry.readable = entry.executable = true;
    entry.inode = status.st_ino;
    entry.path = path;
    symbolizer_.add_mappings(1, {entry});
}

std::vector<SourceFrame> MappedImage::at_offset(std::uint64_t file_offset) {
    return symbolizer_.lookup(1, kBase + file_offset, false);
}

std::vector<SourceFrame> MappedImage::at(std::uint64_t vaddr) {
    for (const Load& load : loads_) {
        if (vaddr - load.vaddr < load.bytes) return at_offset(load.offset + (vaddr - load.vaddr));
    }
    ADD_FAILURE() << "no segment holds " << std::hex << vaddr;
    return {SourceFrame{}};
}

Extent extent_of(const std::string& path, const std::string& symbol, const char* nm_flags) {
    std::istringstream lines(run("nm -S " + std::string(nm_flags) + " '" + path + "'"));
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        Extent extent;
        std::string type;
        std::string name;
        if (!(fields >> std::hex >> extent.begin >> extent.bytes >> type >> name)) continue;
        if (name == symbol) return extent;
    }
    ADD_FAILURE() << path << " has no " << symbol;
    return {};
}

std::vector<Extent> functions_of(const std::string& path) {
    std::vector<Extent> extents;
    std::istringstream lines(run("nm -S '" + path + "'"));
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        Extent extent;
        char type = 0;
        if (!(fields >> std::hex >> extent.begin >> extent.bytes >> type)) continue;
        if ((type | 0x20) != 't' && (type | 0x20) != 'w') continue;
        if (extent.bytes != 0) extents.push_back(extent);
    }
    return extents;
}

}  // namespace asrtrace::symbols::testing
