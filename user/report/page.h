// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Lines of text for a terminal of 100 columns.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace asrtrace::report {

constexpr std::size_t kPageColumns = 100;

/// Code points of UTF-8 text: its columns, as long as no character is wide.
std::size_t columns_of(std::string_view text);

/// At most `columns` of it, "..." at the end if something was cut.
std::string clipped(std::string_view text, std::size_t columns);

class Page {
  public:
    /// A heading with an empty line above.
    void heading(std::string_view text);
    /// A line; what does not fit is cut.
    void line(std::string_view text = {});
    /// A line that is not cut: a command that is meant to be copied.
    void whole_line(std::string_view text) { text_.append(text).append("\n"); }
    /// A paragraph, broken between words, each line behind `indent` spaces; of what begins with
    /// "- " or "=> " the other lines stand behind that mark, and `hanging` further in: a text of
    /// somebody else's begins no line as if it were another paragraph.
    void paragraph(std::string_view text, std::size_t indent, std::size_t hanging = 0);
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
};

}  // namespace asrtrace::report
