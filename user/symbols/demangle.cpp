// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/demangle.h"

#include <libiberty/demangle.h>

#include <algorithm>
#include <csetjmp>

#include "user/base/escape.h"

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kMaxMangledBytes = std::size_t{16} << 10U;

/// Collects what libiberty prints and jumps out when it prints too much: there is no other way to
/// stop it. Its callback variants keep everything on the stack, so nothing is lost by the jump.
struct Output {
    std::string text;
    std::jmp_buf overflow;
};

void append(const char* text, std::size_t bytes, void* opaque) {
    auto* output = static_cast<Output*>(opaque);
    output->text.append(text, std::min(bytes, kMaxNameBytes + 1));
    if (output->text.size() <= kMaxNameBytes) return;
    std::longjmp(output->overflow, 1);  // NOLINT: no object is alive in between
}

using Demangler = int (*)(const char*, int, demangle_callbackref, void*);

/// True if `symbol` was understood; `output.text` then holds its name, cut if need be.
bool run(Demangler demangler, const char* symbol, int options, Output& output) {
    output.text.clear();
    if (setjmp(output.overflow) != 0) {  // NOLINT: see Output
        output.text = cut_text(output.text);
        return true;
    }
    return demangler(symbol, options, append, &output) != 0;
}

}  // namespace

std::string_view bounded_name(const char* symbol) {
    if (symbol == nullptr) return {};
    std::size_t bytes = 0;
    while (bytes <= kMaxMangledBytes && symbol[bytes] != '\0') ++bytes;
    return {symbol, bytes};
}

bool is_mangled(std::string_view symbol) {
    return symbol.starts_with("_Z") || symbol.starts_with("__Z") || symbol.starts_with("_R");
}

std::string demangle(std::string_view symbol) {
    const std::string plain(symbol.substr(0, std::min(symbol.find('@'), kMaxMangledBytes + 1)));
    if (plain.size() > kMaxMangledBytes) return cut_text(plain);
    Output output;
    output.text.reserve(256);
    // Legacy Rust names are C++ names with a hash at the end, so Rust goes first.
    const bool rust = plain.starts_with("_R") || plain.find("17h") != std::string::npos;
    if (rust && run(rust_demangle_callback, plain.c_str(), 0, output)) return output.text;
    if (!plain.starts_with("_Z") && !plain.starts_with("__Z")) return cut_text(plain);
    if (run(cplus_demangle_v3_callback, plain.c_str(), DMGL_PARAMS | DMGL_ANSI | DMGL_TYPES,
            output)) {
        return output.text;
    }
    return cut_text(plain);
}

namespace {

bool ends_with_operator(std::string_view text) {
    constexpr std::string_view kOperator = "operator";
    return text.ends_with(kOperator) &&
           (text.size() == kOperator.size() || text[text.size() - kOperator.size() - 1] == ':' ||
            text[text.size() - kOperator.size() - 1] == ' ');
}

void drop_suffix(std::string_view& text, std::string_view suffix) {
    if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
}

/// "f(int) const & [clone .cold]" -> "f(int)".
std::string_view without_qualifiers(std::string_view text) {
    for (;;) {
        const std::size_t before = text.size();
        if (text.ends_with(']')) {
            const std::size_t clone = text.rfind(" [");
            if (clone != std::string_view::npos) text.remove_suffix(text.size() - clone);
        }
        drop_suffix(text, " const");
        drop_suffix(text, " volatile");
        drop_suffix(text, " &");
        drop_suffix(text, " &&");
        drop_suffix(text, " noexcept");
        if (text.size() == before) return text;
    }
}

/// Where the bracket that closes at the end of `text` opens; npos if it does not.
std::size_t matching_open(std::string_view text) {
    std::size_t depth = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
        if (text[i] == ')') ++depth;
        if (text[i] == '(' && --depth == 0) return i;
    }
    return std::string_view::npos;
}

/// Index behind the return type of a template function: the last blank outside of brackets, unless
/// it belongs to an operator's name.
std::size_t name_begin(std::string_view text) {
    std::size_t begin = 0;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (ends_with_operator(text.substr(0, i))) break;
        if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
        if (c == '>' || c == ')' || c == '}' || c == ']') --depth;
        if (c == ' ' && depth == 0) begin = i + 1;
    }
    return begin;
}

}  // namespace

std::string_view without_parameters(std::string_view function) {
    std::string_view text = without_qualifiers(function);
    if (text.ends_with(')')) {
        const std::size_t open = matching_open(text);
        if (open == std::string_view::npos || open == 0) return function;
        if (!ends_with_operator(text.substr(0, open))) text = text.substr(0, open);
    }
    return text.substr(name_begin(text));
}

}  // namespace asrtrace::symbols
