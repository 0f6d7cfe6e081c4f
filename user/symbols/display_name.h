// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// C++ names for people: the text report shows these, JSON keeps the whole name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asrtrace::symbols {

/// Shortens a demangled name: std::string and friends by their short names, default template
/// arguments (allocators, traits, deleters, comparisons), ABI tags, clone suffixes and the return
/// type of templates dropped; then, while it is longer than `limit` bytes, the parameters become
/// (...), nested template arguments <...>, and all template arguments <...>. Not escaped, and not
/// cut: what remains may be longer than `limit`.
std::string display_name(std::string_view function, std::size_t limit = 80);

}  // namespace asrtrace::symbols
