// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// When the tracepoints of sockets look whether calls pass by the probes behind socket calls: at the
// beginning, until enough calls were met by both or some time has passed, and again now and then.
#pragma once

#include <cstdint>

namespace asrtrace::capture {

class HttpAudit {
  public:
    enum class Step : std::uint8_t {
        kNone,
        kLook,      ///< attach the tracepoints
        kLookAway,  ///< detach them
        kGiveUp,    ///< calls pass by the probes: the tracepoints have to do
    };
    /// Sums so far: socket calls that both met, and that passed by.
    Step advance(std::uint64_t now_ns, std::uint64_t matched, std::uint64_t bypassed);

    bool gave_up() const { return gave_up_; }

  private:
    bool looking_ = true, gave_up_ = false;
    std::uint64_t since_ns_ = 0;        ///< of this look, or of looking away
    std::uint64_t away_ns_ = 0;         ///< how long not to look
    std::uint64_t matched_before_ = 0;  ///< this look
};

}  // namespace asrtrace::capture
