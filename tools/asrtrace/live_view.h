// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The live view of attach: a screen that is refreshed while the target runs, and its keys.
#pragma once

#include <cstddef>
#include <string>

#include "tools/asrtrace/live_screen.h"
#include "tools/asrtrace/recorder.h"
#include "tools/asrtrace/terminal.h"

namespace asrtrace {

class LiveView {
  public:
    LiveView(Terminal terminal, LiveHead head);

    /// Called often: answers keys at once, draws anew every second or when something changed.
    Wish step(const Progress& now);

  private:
    Wish on_key(char key);

    Terminal terminal_;
    LiveHead head_;
    LiveStyle style_;
    std::size_t order_ = 0;
    std::string message_;
    std::uint64_t awaited_readings_ = 0;  ///< the message goes when there are so many
    double drawn_ = -1;                   ///< seconds since the start
};

}  // namespace asrtrace
