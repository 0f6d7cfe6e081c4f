// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The operands of a USDT note, each behind its size: AT&T syntax as compilers print it for x86-64
// (arm64's: usdt_operand.cpp).
#include <algorithm>
#include <array>
#include <bit>

#include "user/capture/usdt.h"
#include "user/capture/usdt_operand.h"

namespace asrtrace::capture {
namespace {

constexpr std::size_t kMaxArguments = 12;

struct RegisterName {
    std::array<std::string_view, 5> names;  ///< 64, 32, 16, low 8, high 8 bits
    PtReg reg;
};
constexpr std::array<RegisterName, 17> kRegisters{{
    {{"rax", "eax", "ax", "al", "ah"}, PtReg::kAx},
    {{"rbx", "ebx", "bx", "bl", "bh"}, PtReg::kBx},
    {{"rcx", "ecx", "cx", "cl", "ch"}, PtReg::kCx},
    {{"rdx", "edx", "dx", "dl", "dh"}, PtReg::kDx},
    {{"rsi", "esi", "si", "sil", ""}, PtReg::kSi},
    {{"rdi", "edi", "di", "dil", ""}, PtReg::kDi},
    {{"rbp", "ebp", "bp", "bpl", ""}, PtReg::kBp},
    {{"rsp", "esp", "sp", "spl", ""}, PtReg::kSp},
    {{"r8", "r8d", "r8w", "r8b", ""}, PtReg::kR8},
    {{"r9", "r9d", "r9w", "r9b", ""}, PtReg::kR9},
    {{"r10", "r10d", "r10w", "r10b", ""}, PtReg::kR10},
    {{"r11", "r11d", "r11w", "r11b", ""}, PtReg::kR11},
    {{"r12", "r12d", "r12w", "r12b", ""}, PtReg::kR12},
    {{"r13", "r13d", "r13w", "r13b", ""}, PtReg::kR13},
    {{"r14", "r14d", "r14w", "r14b", ""}, PtReg::kR14},
    {{"r15", "r15d", "r15w", "r15b", ""}, PtReg::kR15},
    {{"rip", "eip", "ip", "", ""}, PtReg::kIp},
}};

struct Register {
    PtReg reg = PtReg::kNone;
    std::uint8_t shift = 0;
    bool whole = false;  ///< the 64-bit name
};

/// "%rax"; nothing for vector, segment and unknown registers.
std::optional<Register> parse_register(std::string_view text) {
    if (text.size() < 2 || text[0] != '%') return std::nullopt;
    text.remove_prefix(1);
    for (const RegisterName& known : kRegisters)
        for (std::size_t width = 0; width < known.names.size(); ++width)
            if (text == known.names[width])
                return Register{known.reg, static_cast<std::uint8_t>(width == 4 ? 8 : 0),
                                width == 0};
    return std::nullopt;
}

std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// "-8", "sym", "sym+16", "16+sym", "8+sym-4", "" (0).
struct Displacement {
    std::int64_t value = 0;
    std::optional<std::uint64_t> symbol_vaddr;
};

std::optional<Displacement> parse_displacement(std::string_view text, const UsdtContext& context) {
    Displacement sum;
    while (!text.empty()) {
        const std::size_t next = std::min(text.find_first_of("+-", 1), text.size());
        const std::string_view term = text.substr(0, next);
        text.remove_prefix(next);
        if (const auto number = parse_integer(term)) {
            sum.value = wrapping_add(sum.value, *number);
            continue;
        }
        const std::string_view name = term.substr(term[0] == '+' ? 1 : 0);
        if (!context.find_symbol || sum.symbol_vaddr || name.empty() || name[0] == '-')
            return std::nullopt;
        sum.symbol_vaddr = context.find_symbol(name);
        if (!sum.symbol_vaddr) return std::nullopt;
    }
    return sum;
}

bool parse_constant(std::string_view text, const UsdtContext& context, UsdtArg& arg) {
    const auto sum = parse_displacement(text, context);
    if (text.empty() || !sum || (sum->symbol_vaddr && !context.fixed_address)) return false;
    arg.kind = UsdtArgKind::kConstant;
    arg.value = wrapping_add(sum->value, static_cast<std::int64_t>(sum->symbol_vaddr.value_or(0)));
    return true;
}

/// "(%base,%index,scale)" without the parentheses; every part may be missing.
bool parse_base(std::string_view text, UsdtArg& arg) {
    const auto split = split_parts(text);
    if (!split) return false;
    const auto& parts = *split;
    if (parts[0].empty() && parts[1].empty()) return false;
    for (std::size_t i = 0; i < 2; ++i) {
        if (parts[i].empty()) continue;
        const auto reg = parse_register(parts[i]);
        if (!reg || !reg->whole) return false;
        (i == 0 ? arg.reg : arg.index) = reg->reg;
    }
    if (parts[2].empty()) return true;
    const auto scale = parse_integer(parts[2]);
    if (!scale || (*scale != 1 && *scale != 2 && *scale != 4 && *scale != 8)) return false;
    arg.scale = static_cast<std::uint8_t>(*scale);
    return true;
}

bool parse_memory(std::string_view text, const UsdtContext& context, UsdtArg& arg) {
    const std::size_t open = text.find('(');
    if (open != std::string_view::npos) {
        if (!text.ends_with(')')) return false;
        if (!parse_base(text.substr(open + 1, text.size() - open - 2), arg)) return false;
        text = text.substr(0, open);
    } else if (text.empty()) {
        return false;
    }
    const auto sum = parse_displacement(text, context);
    if (!sum) return false;
    arg.kind = UsdtArgKind::kMemory;
    arg.value = sum->value;
    const auto symbol = static_cast<std::int64_t>(sum->symbol_vaddr.value_or(0));
    if (arg.reg == PtReg::kIp) {
        // In assembly sym(%rip) is the symbol's address whatever the distance; a plain number
        // would be relative to an instruction that the note does not name.
        if (!sum->symbol_vaddr || arg.index != PtReg::kNone) return false;
        arg.value = wrapping_add(wrapping_add(sum->value, symbol),
                                 static_cast<std::int64_t>(0 - context.vaddr));
        return true;
    }
    if (sum->symbol_vaddr) {
        if (!context.fixed_address) return false;
        arg.value = wrapping_add(arg.value, symbol);
    }
    return true;
}

bool parse_x86_operand(std::string_view text, const UsdtContext& context, UsdtArg& arg) {
    if (text.starts_with('$')) return parse_constant(text.substr(1), context, arg);
    if (const auto reg = parse_register(text)) {
        arg.kind = UsdtArgKind::kRegister;
        arg.reg = reg->reg;
        arg.shift = reg->shift;
        return true;
    }
    if (text.starts_with('%') || text.find(':') != std::string_view::npos) return false;
    return parse_memory(text, context, arg);
}

std::uint64_t magnitude_of(std::int64_t value) {
    return value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
}

/// "-4@OPERAND"; an operand without a size is 8 bytes, as systemtap takes it.
UsdtArg parse_argument(std::string_view text, const UsdtContext& context) {
    UsdtArg arg;
    arg.size = 8;
    const std::size_t at = text.find('@');
    if (at != std::string_view::npos) {
        const auto size = parse_integer(text.substr(0, at));
        // "8f@" marks a floating-point value: those are in vector registers.
        if (!size || *size < -8 || *size > 8 || std::popcount(magnitude_of(*size)) != 1)
            return UsdtArg{};
        arg.size = static_cast<std::int8_t>(*size);
        text.remove_prefix(at + 1);
    }
    const UsdtArg empty{.size = arg.size};
    const bool understood = context.machine == EM_AARCH64 ? parse_arm64_operand(text, arg)
                                                          : parse_x86_operand(text, context, arg);
    return understood ? arg : empty;
}

/// Up to the next space outside parentheses: some assemblers write "(%rax, %rbx)", arm64's
/// "[sp, 12]".
std::string_view take_argument(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::size_t end = 0;
    for (int depth = 0; end < text.size() && (text[end] != ' ' || depth > 0); ++end) {
        if (text[end] == '(' || text[end] == '[') ++depth;
        if (text[end] == ')' || text[end] == ']') --depth;
    }
    const std::string_view argument = text.substr(0, end);
    text.remove_prefix(end);
    return argument;
}

}  // namespace

std::vector<UsdtArg> parse_usdt_arguments(std::string_view text, const UsdtContext& context) {
    std::vector<UsdtArg> arguments;
    while (arguments.size() < kMaxArguments) {
        const std::string_view argument = take_argument(text);
        if (argument.empty()) break;
        arguments.push_back(parse_argument(argument, context));
    }
    return arguments;
}

}  // namespace asrtrace::capture
