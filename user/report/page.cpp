// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/page.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace asrtrace::report {
namespace {

bool begins_character(char byte) {
    return (static_cast<std::uint8_t>(byte) & 0xc0) != 0x80;
}

/// Bytes of the first `columns` characters.
std::size_t bytes_of(std::string_view text, std::size_t columns) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (begins_character(text[at]) && columns-- == 0) break;
        ++at;
    }
    return at;
}

std::size_t mark_columns(std::string_view text) {
    for (const std::string_view mark : {"- ", "=> "})
        if (text.starts_with(mark)) return mark.size();
    return 0;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string clipped(std::string_view text, std::size_t columns) {
    if (columns_of(text) <= columns) return std::string(text);
    const std::size_t kept = columns < 3 ? 0 : columns - 3;
    return std::string(text.substr(0, bytes_of(text, kept))) + "...";
}

void Page::heading(std::string_view text) {
    text_ += '\n';
    line(text);
}

void Page::line(std::string_view text) {
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    text_ += clipped(text, kPageColumns);
    text_ += '\n';
}

void Page::paragraph(std::string_view text, std::size_t indent, std::size_t hanging) {
    hanging += mark_columns(text);
    for (bool first = true; !text.empty(); first = false) {
        if (!first) indent += std::exchange(hanging, 0);
        std::size_t end = bytes_of(text, kPageColumns - indent);
        if (end < text.size()) {
            const auto space = text.substr(0, end + 1).rfind(' ');
            if (space != std::string_view::npos && space > 0) end = space;
        }
        line(std::string(indent, ' ') + std::string(text.substr(0, end)));
        text.remove_prefix(end);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    }
}

}  // namespace asrtrace::report
