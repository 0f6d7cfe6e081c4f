// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Names as the programmer wrote them. Demangling is done by libiberty, whose callback interface
// lets us stop a name that was built to explode (substitutions that double at each step).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asrtrace::symbols {

/// What is read of a symbol's name: all of it, or enough to tell that it is too long to demangle.
/// Null gives an empty one.
std::string_view bounded_name(const char* symbol);

/// C++ (Itanium ABI), Rust legacy and Rust v0; anything else, or a name longer than 16 KiB, comes
/// back as it is. Results are cut (kMaxNameBytes). Clone suffixes (.part.0, .cold) of
/// C++ names stay as "[clone .cold]"; a version (@GLIBC_2.2.5) is dropped.
std::string demangle(std::string_view symbol);

/// Starts the way mangled C++ and Rust names start.
bool is_mangled(std::string_view symbol);

/// A demangled function name without its parameter list, trailing qualifiers, clone suffix and, for
/// templates, return type: "void ns::f<int>(int) const" -> "ns::f<int>".
std::string_view without_parameters(std::string_view function);

}  // namespace asrtrace::symbols
