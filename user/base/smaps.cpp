// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/smaps.h"

#include <charconv>
#include <string>

namespace asrtrace {
namespace {

constexpr std::string_view kAnonymous = "Anonymous:";

/// "   123 kB" in bytes; 0 if it is something else.
std::uint64_t kilobytes(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value * 1024;
}

}  // namespace

std::vector<SmapsEntry> parse_smaps(std::string_view text) {
    std::vector<SmapsEntry> entries;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.starts_with(kAnonymous)) {
            if (!entries.empty())
                entries.back().anonymous = kilobytes(line.substr(kAnonymous.size()));
        } else if (auto mapping = parse_maps_line(line)) {
            entries.push_back({std::move(*mapping), 0});
        }
    }
    return entries;
}

Result<std::vector<SmapsEntry>> read_smaps(pid_t pid) {
    const auto text = read_text_file("/proc/" + std::to_string(pid) + "/smaps");
    if (!text) return text.error();
    return parse_smaps(*text);
}

}  // namespace asrtrace
