// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Decides when every allocation is followed, so that the probes take no more of the target's CPU
// than the budget allows: all the time if that fits, else in short windows at random times, else
// not at all. Takes no clock and touches nothing: it is told what was used and says what to do.
//
//   first window --fits--> kFull --the rate rises--> kWindows <----> kWatch (far too dear)
//            `---------------does not fit---------------^   `--> (windows cannot be opened again)
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace asrtrace {

/// Since the start: CPU seconds that probes took of the target, and all that it used.
struct Usage {
    std::uint64_t now_ns = 0;
    double probe_seconds = 0;
    double target_seconds = 0;
};

class Governor {
  public:
    enum class Mode : std::uint8_t { kTrying, kFull, kWindows, kWatch };
    enum class Order : std::uint8_t { kNone, kOpen, kClose };

    /// `budget`: share of the target's own CPU. `reopens`: windows can be opened again, quickly.
    Governor(double budget, bool reopens, std::uint64_t start_ns, std::uint64_t seed)
        : budget_(budget), reopens_(reopens), start_ns_(start_ns), random_(seed) {}

    /// A window has been opened.
    void opened(const Usage& usage);
    /// It could not be; `why` is told once. The next try is later and later.
    void not_opened(const Usage& usage, const std::string& why);
    /// To be called some ten times a second; a window is open or closed as was ordered last.
    Order advance(const Usage& usage);

    Mode mode() const { return mode_; }
    const char* mode_name() const;
    /// What changed since the last call, for people: when and why.
    std::vector<std::string> take_news();

  private:
    struct Cost {
        double seconds = 0;  ///< of probes
        double own = 0;      ///< of the target without them
        double elapsed = 0;
        double share() const { return own > 0 ? seconds / own : 0; }
    };
    static Cost between(const Usage& from, const Usage& to);
    bool fits(const Cost& cost, double slack) const;
    static bool stalls(const Cost& cost);
    Order watch_steady(const Usage& usage);
    Order close(const Usage& usage, Mode mode, const Cost& cost);
    bool may_open(const Usage& usage) const;
    void say(std::uint64_t now_ns, const std::string& what);
    double refuse();

    double budget_;
    bool reopens_;
    std::uint64_t start_ns_;
    std::mt19937_64 random_;
    Mode mode_ = Mode::kTrying;
    bool open_ = false;
    Usage opened_, checked_, closed_;
    int strikes_ = 0;
    unsigned refusals_ = 0;  ///< windows in a row that were far too dear, or could not be opened
    double owed_ = 0;        ///< of probes' seconds, until the next window
    std::uint64_t not_before_ns_ = 0;
    std::set<std::string> reasons_;  ///< of windows that could not be opened
    std::vector<std::string> news_;
};

}  // namespace asrtrace
