// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/epoll_data.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "user/base/maps.h"

namespace asrtrace::heap {
namespace {

constexpr std::string_view kEntry = "tfd:", kData = " data:";

std::string directory_of(pid_t pid) {
    return "/proc/" + std::to_string(pid) + "/fdinfo/";
}

void take_data(std::string_view line, std::vector<std::uint64_t>& words) {
    const std::size_t at = line.find(kData);
    if (!line.starts_with(kEntry) || at == std::string_view::npos) return;
    line.remove_prefix(std::min(line.find_first_not_of(' ', at + kData.size()), line.size()));
    std::uint64_t word = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), word, 16);
    if (error == std::errc{} && end != line.data()) words.push_back(word);
}

}  // namespace

std::vector<int> epoll_files_of(pid_t pid) {
    std::vector<int> files;
    std::error_code failed;
    const std::string directory = directory_of(pid);
    for (std::filesystem::directory_iterator at(directory, failed), end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().filename().string();
        const auto text = read_text_file(directory + name);
        if (!text || text->find("\ntfd:") == std::string::npos) continue;
        int file = -1;
        std::from_chars(name.data(), name.data() + name.size(), file);
        if (file >= 0) files.push_back(file);
    }
    return files;
}

std::vector<std::uint64_t> read_epoll_data(pid_t pid, const std::vector<int>& files) {
    std::vector<std::uint64_t> words;
    for (const int file : files) {
        const auto text = read_text_file(directory_of(pid) + std::to_string(file));
        if (!text) continue;
        for (std::string_view rest = *text; !rest.empty();) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            take_data(rest.substr(0, end), words);
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return words;
}

}  // namespace asrtrace::heap
