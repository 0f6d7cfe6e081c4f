// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What comes from the target (symbols, paths, argv) is never printed as it is: control bytes and
// invalid UTF-8 would let it forge our output or drive the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asrtrace {

/// A name of the target's is no longer than this, in bytes: more is cut where it is read.
constexpr std::size_t kMaxNameBytes = 4096;

/// `text` if it has no more than `limit` bytes, else its beginning with an ellipsis, together no
/// more than `limit`; a character is not split.
std::string cut_text(std::string_view text, std::size_t limit = kMaxNameBytes);

/// Printable text for a terminal: control characters, bidirectional overrides and bytes that are no
/// UTF-8 become \xNN; a backslash is doubled. At most `limit` bytes come out, an ellipsis included.
std::string escape_terminal(std::string_view text, std::size_t limit = 4096);

/// The same without a limit and without doubling backslashes: valid UTF-8 for JSON and SQLite.
std::string escape_invalid(std::string_view text);

/// Text for XML, HTML and SVG: escape_invalid, then & < > " ' as entities.
std::string escape_xml(std::string_view text);

}  // namespace asrtrace
