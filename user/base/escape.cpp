// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/escape.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace asrtrace {
namespace {

struct Scalar {
    std::uint32_t code_point;
    std::size_t length;
};

/// Decodes one UTF-8 scalar (RFC 3629: no surrogates, no overlong forms); nothing if malformed.
std::optional<Scalar> decode_scalar(std::string_view text) {
    const auto lead = static_cast<std::uint8_t>(text[0]);
    if (lead < 0x80) return Scalar{lead, 1};
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return std::nullopt;
    std::uint32_t code_point = lead & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<std::uint8_t>(text[i]);
        if ((byte & 0xc0) != 0x80) return std::nullopt;
        code_point = code_point << 6 | (byte & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
    if (code_point < kSmallest[length] || code_point > 0x10ffff) return std::nullopt;
    if (code_point >= 0xd800 && code_point <= 0xdfff) return std::nullopt;
    return Scalar{code_point, length};
}

bool is_control(std::uint32_t c) {
    const bool c0_c1 = c < 0x20 || (c >= 0x7f && c < 0xa0);
    const bool bidi = c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
                      (c >= 0x2060 && c <= 0x2069) || c == 0xfeff;
    const bool no_character = (c & 0xfffe) == 0xfffe;  // XML allows none of U+FFFE, U+FFFF
    return c0_c1 || bidi || no_character;
}

void append_hex(std::string& out, char byte) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const auto value = static_cast<std::uint8_t>(byte);
    out += "\\x";
    out += kDigits[value >> 4];
    out += kDigits[value & 0xf];
}

std::string escape(std::string_view text, bool for_terminal) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto scalar = decode_scalar(text);
        const std::size_t length = scalar ? scalar->length : 1;
        if (!scalar || is_control(scalar->code_point)) {
            for (char byte : text.substr(0, length)) append_hex(out, byte);
        } else if (for_terminal && text[0] == '\\') {
            out += "\\\\";
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length);
    }
    return out;
}

}  // namespace

std::string cut_text(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return std::string(text);
    std::size_t end = limit < 3 ? 0 : limit - 3;
    // No UTF-8 has more than three bytes of continuation: what has is cut anywhere.
    for (int i = 0; i < 3 && end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xc0) == 0x80; ++i)
        --end;
    return std::string(text.substr(0, end)) + "...";
}

std::string escape_terminal(std::string_view text, std::size_t limit) {
    // Escaped, no text is shorter: what is behind the limit before is so after.
    return cut_text(escape(text.substr(0, std::max(limit, limit + 1)), true), limit);
}

std::string escape_invalid(std::string_view text) {
    return escape(text, false);
}

std::string escape_xml(std::string_view text) {
    std::string out;
    for (char c : escape_invalid(text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

}  // namespace asrtrace
