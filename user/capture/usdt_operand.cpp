// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/usdt_operand.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace asrtrace::capture {
namespace {

constexpr std::uint8_t kStackPointer = 31;  // struct user_pt_regs: behind x0 to x30

/// "x0" to "x30", "w0" to "w30" (the low half), "sp"; nothing for vector registers.
std::optional<PtReg> parse_arm64_register(std::string_view text) {
    if (text == "sp") return PtReg{kStackPointer};
    if (text.size() < 2 || (text[0] != 'x' && text[0] != 'w')) return std::nullopt;
    std::uint8_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number >= kStackPointer)
        return std::nullopt;
    return PtReg{number};
}

std::optional<std::int64_t> parse_immediate(std::string_view text) {
    return parse_integer(text.substr(text.starts_with('#') ? 1 : 0));
}

/// Between the brackets: base, then nothing, a distance, or an index with its shift.
bool parse_address(std::string_view text, UsdtArg& arg) {
    const auto split = split_parts(text);
    if (!split) return false;
    const auto& parts = *split;
    const auto base = parse_arm64_register(parts[0]);
    if (!base || parts[0].starts_with('w')) return false;
    arg.kind = UsdtArgKind::kMemory;
    arg.reg = *base;
    if (parts[1].empty()) return parts[2].empty();
    if (const auto index = parse_arm64_register(parts[1])) {
        if (parts[1].starts_with('w')) return false;  // extended in one of two ways
        arg.index = *index;
        if (parts[2].empty()) return true;
        const auto shift =
            parts[2].starts_with("lsl ") ? parse_immediate(parts[2].substr(4)) : std::nullopt;
        if (!shift || *shift < 0 || *shift > 3) return false;
        arg.scale = static_cast<std::uint8_t>(1 << *shift);
        return true;
    }
    const auto distance = parse_immediate(parts[1]);
    arg.value = distance.value_or(0);
    return distance && parts[2].empty();
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        base = 16;
        text.remove_prefix(2);
    } else if (text.size() > 1 && text[0] == '0') {
        base = 8;
    }
    std::uint64_t magnitude = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

std::optional<std::array<std::string_view, 3>> split_parts(std::string_view text) {
    std::array<std::string_view, 3> parts;
    for (std::size_t i = 0; i < parts.size() && !text.empty(); ++i) {
        const std::size_t end = std::min(text.find(','), text.size());
        parts[i] = text.substr(0, end);
        while (parts[i].starts_with(' ')) parts[i].remove_prefix(1);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!text.empty()) return std::nullopt;
    return parts;
}

bool parse_arm64_operand(std::string_view text, UsdtArg& arg) {
    if (text.starts_with('['))
        return text.ends_with(']') && parse_address(text.substr(1, text.size() - 2), arg);
    if (const auto reg = parse_arm64_register(text)) {
        arg.kind = UsdtArgKind::kRegister;
        arg.reg = *reg;
        return true;
    }
    const auto constant = text == "xzr" || text == "wzr" ? 0 : parse_immediate(text);
    arg.kind = UsdtArgKind::kConstant;
    arg.value = constant.value_or(0);
    return constant.has_value();
}

}  // namespace asrtrace::capture
