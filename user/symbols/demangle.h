// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Names as the programmer wrote them. Demangling is done by libiberty, whose callback interface
// lets us stop a name that was built to explode (substitutions that double at each step).
#pragma once

#include <string>
#include <string_view>

namespace asrtrace::symbols {

/// C++ (Itanium ABI), Rust legacy and Rust v0; anything else, or a name longer than 16 KiB, comes
/// back as it is. Results are cut at 64 KiB, with "..." behind. Clone suffixes (.part.0, .cold) of
/// C++ names stay as "[clone .cold]"; a version (@GLIBC_2.2.5) is dropped.
std::string demangle(std::string_view symbol);

/// Starts the way mangled C++ and Rust names start.
bool is_mangled(std::string_view symbol);

/// A demangled function name without its parameter list, trailing qualifiers, clone suffix and, for
/// templates, return type: "void ns::f<int>(int) const" -> "ns::f<int>".
std::string_view without_parameters(std::string_view function);

}  // namespace asrtrace::symbols
