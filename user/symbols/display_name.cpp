// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/display_name.h"

#include <array>
#include <utility>

#include "user/symbols/demangle.h"
#include "user/symbols/name_brackets.h"

namespace asrtrace::symbols {
namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

/// In this order: what the first ones remove lets the later ones match.
constexpr std::array<Replacement, 9> kReplacements = {{
    {"std::__cxx11::", "std::"},
    {"std::__1::", "std::"},
    {"std::char_traits<char>, std::allocator<char> >", "std::char_traits<char> >"},
    {"std::basic_string<char, std::char_traits<char> >", "std::string"},
    {"std::basic_string_view<char, std::char_traits<char> >", "std::string_view"},
    {"std::basic_ostream<char, std::char_traits<char> >", "std::ostream"},
    {"std::basic_istream<char, std::char_traits<char> >", "std::istream"},
    {"(anonymous namespace)", "{anon}"},
    {"> >", ">>"},
}};

/// Template arguments that nobody wrote.
constexpr std::array<std::string_view, 7> kDefaults = {", std::allocator<",
                                                       ", std::default_delete<",
                                                       ", std::char_traits<",
                                                       ", std::less<",
                                                       ", std::hash<",
                                                       ", std::equal_to<",
                                                       ", std::pmr::polymorphic_allocator<"};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    std::string result;
    std::size_t begin = 0;
    for (std::size_t at = 0; (at = text.find(from, begin)) != std::string::npos;) {
        result.append(text, begin, at - begin).append(to);
        begin = at + from.size();
    }
    if (begin == 0) return;
    result.append(text, begin);
    text = std::move(result);
}

/// "[abi:cxx11]", "[clone .cold]".
void drop_tags(std::string& text, std::string_view opening) {
    for (std::size_t at = 0; (at = text.find(opening, at)) != std::string::npos;) {
        const std::size_t close = text.find(']', at);
        if (close == std::string::npos) return;
        text.erase(at, close + 1 - at);
    }
}

void drop_default_arguments(std::string& text) {
    for (const std::string_view opening : kDefaults) {
        for (std::size_t at = 0; (at = text.find(opening, at)) != std::string::npos;) {
            const std::size_t close = matching_close(text, at + opening.size() - 1);
            if (close == std::string::npos) return;
            text.erase(at, close + 1 - at);
            while (at > 0 && at < text.size() && text[at] == ' ' && text[at - 1] != ',') {
                text.erase(at, 1);
            }
        }
    }
}

/// Template argument lists below `keep_depth` become <...>.
std::string collapse(std::string_view text, int keep_depth) {
    std::string result;
    int depth = 0;
    for (std::size_t i = 0; i < text.size();) {
        if (const std::size_t skip = operator_bytes(text, i); skip != 0) {
            result.append(text, i, skip);
            i += skip;
            continue;
        }
        if (text[i] == '<') {
            const std::size_t close = matching_close(text, i);
            if (close != std::string_view::npos && depth >= keep_depth && close > i + 4) {
                result += "<...>";
                i = close + 1;
                continue;
            }
            ++depth;
        } else if (text[i] == '>') {
            --depth;
        }
        result += text[i++];
    }
    return result;
}

/// "ns::f(a, b) const" -> "ns::f(...)".
std::string without_long_parameters(const std::string& text) {
    const std::string_view name = without_parameters(text);
    const std::size_t end = static_cast<std::size_t>(name.data() - text.data()) + name.size();
    if (end >= text.size() || text[end] != '(') return text;
    return std::string(name) + (text.compare(end, 2, "()") == 0 ? "()" : "(...)");
}

}  // namespace

std::string display_name(std::string_view function, std::size_t limit) {
    std::string text(function);
    drop_tags(text, "[abi:");
    drop_tags(text, " [clone ");
    for (const auto& [from, to] : kReplacements) {
        if (from == "> >") drop_default_arguments(text);
        replace_all(text, from, to);
    }
    while (text.find("> >") != std::string::npos) replace_all(text, "> >", ">>");
    // The return type of a template says nothing about where we are.
    const std::string_view name = without_parameters(text);
    text.erase(0, static_cast<std::size_t>(name.data() - text.data()));
    if (text.size() > limit) text = without_long_parameters(text);
    if (text.size() > limit) text = collapse(text, 1);
    if (text.size() > limit) text = collapse(text, 0);
    return text;
}

}  // namespace asrtrace::symbols
