// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/load/plan.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace asrtrace::load {
namespace {

namespace fs = std::filesystem;

Result<std::vector<fs::path>> files_of(const fs::path& path) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) return std::vector<fs::path>{path};
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(path, failed))
        if (entry.path().extension() == ".wav") files.push_back(entry.path());
    if (files.empty()) return Error{path.string() + ": no *.wav in this directory"};
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

Result<std::vector<Upload>> read_uploads(const std::string& argument) {
    const std::size_t mark = argument.find("=@");
    if (mark == std::string::npos || mark == 0 || mark + 2 == argument.size())
        return Error{"'" + argument + "' is not FIELD=@FILE (as curl -F takes it)"};
    const auto files = files_of(argument.substr(mark + 2));
    if (!files) return files.error();
    std::vector<Upload> uploads;
    for (const fs::path& file : *files) {
        std::ifstream stream(file, std::ios::binary);
        std::string content{std::istreambuf_iterator<char>(stream), {}};
        if (!stream || content.empty()) return Error{file.string() + ": cannot be read, or empty"};
        uploads.push_back({argument.substr(0, mark), file.filename().string(), std::move(content)});
    }
    return uploads;
}

std::size_t Order::next() {
    if (!plan_.random) return index_++ % plan_.uploads.size();
    // splitmix64: the same files in every build.
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::size_t>((z ^ (z >> 31)) % plan_.uploads.size());
}

}  // namespace asrtrace::load
