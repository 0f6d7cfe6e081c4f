// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/help.h"

#include <sstream>

namespace asrtrace {
namespace {

constexpr std::size_t kColumns = 100;

std::string wrapped(const std::string& text, std::size_t columns) {
    std::istringstream words(text);
    std::string lines, word;
    std::size_t used = 0;
    while (words >> word) {
        const bool fits = used + 1 + word.size() <= columns;
        if (used != 0) lines += fits ? ' ' : '\n';
        used = used != 0 && fits ? used + 1 + word.size() : word.size();
        lines += word;
    }
    return lines;
}

}  // namespace

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
    return wrapped(option->get_description(), kColumns - get_column_width());
}

std::string HelpFormatter::make_subcommand(const CLI::App* verb) const {
    std::ostringstream out;
    const std::string description = wrapped(verb->get_description(), kColumns - get_column_width());
    CLI::detail::format_help(out, verb->get_display_name(true), description, get_column_width());
    return out.str();
}

}  // namespace asrtrace
