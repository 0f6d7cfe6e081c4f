// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Brackets in demangled names, where < and > may also belong to an operator.
#pragma once

#include <cstddef>
#include <string_view>

namespace asrtrace::symbols {

/// Bytes of the operator symbol at `at` if "operator" stands right in front of it, or if it is the
/// arrow of an expression; else 0. Such bytes are no brackets.
std::size_t operator_bytes(std::string_view name, std::size_t at);

/// Index of the bracket that closes the one at `open`; npos if there is none.
std::size_t matching_close(std::string_view name, std::size_t open);

}  // namespace asrtrace::symbols
