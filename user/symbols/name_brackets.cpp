// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/name_brackets.h"

#include <array>

namespace asrtrace::symbols {
namespace {

bool is_identifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

}  // namespace

std::size_t operator_bytes(std::string_view name, std::size_t at) {
    constexpr std::string_view kOperator = "operator";
    constexpr std::array<std::string_view, 13> kSymbols = {
        "<<=", ">>=", "<=>", "->*", "<<", ">>", "<=", ">=", "->", "()", "[]", "<", ">"};
    const std::string_view rest = name.substr(at);
    if (rest.starts_with("->")) return 2;
    const std::string_view before = name.substr(0, at);
    if (!before.ends_with(kOperator)) return 0;
    if (at > kOperator.size() && is_identifier(name[at - kOperator.size() - 1])) return 0;
    for (const std::string_view symbol : kSymbols) {
        if (rest.starts_with(symbol)) return symbol.size();
    }
    return 0;
}

std::size_t matching_close(std::string_view name, std::size_t open) {
    std::size_t depth = 0;
    std::size_t i = open;
    while (i < name.size()) {
        if (const std::size_t skip = i == open ? 0 : operator_bytes(name, i); skip != 0) {
            i += skip;
            continue;
        }
        const char c = name[i];
        if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
        if (c == '>' || c == ')' || c == '}' || c == ']') {
            if (--depth == 0) return i;
        }
        ++i;
    }
    return std::string_view::npos;
}

}  // namespace asrtrace::symbols
