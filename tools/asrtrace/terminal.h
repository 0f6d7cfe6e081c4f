// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The terminal as a screen of our own: what was on it before comes back, however we end, SIGKILL
// aside.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace asrtrace {

struct TerminalSize {
    std::size_t columns = 80, rows = 24;
};

class Terminal {
  public:
    /// Standard input and standard error as a screen; nothing if one of them is no terminal, if the
    /// terminal can do too little (TERM), or if we are in its background.
    static std::optional<Terminal> open();

    Terminal(Terminal&& other) noexcept : active_(other.active_) { other.active_ = false; }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    Terminal& operator=(Terminal&&) = delete;
    ~Terminal();

    TerminalSize size() const;
    /// Keys that were pressed since the last call.
    std::string keys() const;
    /// Shows the lines from the top. Leaves it be when the terminal takes nothing (Ctrl-S).
    void show(const std::vector<std::string>& lines) const;

  private:
    Terminal() = default;
    bool active_ = true;
};

/// Gives the terminal back if there is a Terminal: for those who end us without unwinding. Async
/// signal safe.
void restore_terminal();

}  // namespace asrtrace
