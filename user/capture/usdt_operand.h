// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Parts of a USDT operand, for usdt_arguments.cpp alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "user/capture/usdt.h"

namespace asrtrace::capture {

/// Decimal, 0x hexadecimal or octal, with sign, modulo 2^64: compilers print what assemblers read.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// Up to three parts between commas, without the spaces before them; missing ones are empty.
/// Nothing: there are more.
std::optional<std::array<std::string_view, 3>> split_parts(std::string_view text);

/// "x0", "w3", "sp", "12", "[sp, 12]", "[x1, x2, lsl 3]" (a "#" before numbers or none) into kind,
/// reg, index, scale and value. False: not understood.
bool parse_arm64_operand(std::string_view text, UsdtArg& arg);

}  // namespace asrtrace::capture
