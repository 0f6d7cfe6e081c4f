// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/governor.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace asrtrace {
namespace {

constexpr double kFirstLook = 0.1;  ///< seconds into a window
constexpr double kWindow = 2.0;     ///< seconds; shorter where it is dear
constexpr double kShortestWindow = 0.25;
constexpr double kLook = 0.25;       ///< how often a steady tier is looked at
constexpr int kStrikes = 6;          ///< looks in a row over the budget
constexpr double kSlack = 1.25;      ///< over the budget by less than that is noise
constexpr double kFarTooDear = 2.5;  ///< times the target's own CPU: no window can be afforded
constexpr double kMostOfTime = 0.05;
/// Of the budget; the rest is for what is taken between windows (page faults, requests, readings of
/// the heap), and for what the estimate of a trap leaves out.
constexpr double kForWindows = 0.25;
constexpr double kFloor = 0.001;    ///< of one CPU: no target is so idle that this hurts it
constexpr double kHarmless = 0.25;  ///< of one CPU: a window that takes less stalls nobody
constexpr double kPause = 30;       ///< seconds after a window that was far too dear
constexpr unsigned kMostDoublings = 5;
constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t nanoseconds(double seconds) {
    return static_cast<std::uint64_t>(seconds * 1e9);
}

}  // namespace

Governor::Cost Governor::between(const Usage& from, const Usage& to) {
    Cost cost;
    const double all = std::max(0.0, to.target_seconds - from.target_seconds);
    // It is a part of the target's time: what is more comes of a timed run that was interrupted.
    cost.seconds = std::min(to.probe_seconds - from.probe_seconds, all);
    cost.own = all - cost.seconds;
    // Where nearly all of the time goes into probes the difference is noise.
    cost.own = std::max(cost.own, 0.01 * cost.seconds);
    cost.elapsed = static_cast<double>(to.now_ns - from.now_ns) * 1e-9;
    return cost;
}

bool Governor::fits(const Cost& cost, double slack) const {
    return cost.seconds <= slack * std::max(budget_ * cost.own, kFloor * cost.elapsed);
}

bool Governor::stalls(const Cost& cost) {
    return cost.seconds > kHarmless * cost.elapsed;
}

void Governor::say(std::uint64_t now_ns, const std::string& what) {
    news_.push_back(
        fmt::format("after {:.1f} s: {}", static_cast<double>(now_ns - start_ns_) / kSecond, what));
}

std::vector<std::string> Governor::take_news() {
    return std::exchange(news_, {});
}

const char* Governor::mode_name() const {
    switch (mode_) {
        case Mode::kTrying:
        case Mode::kFull:
            return "full";
        case Mode::kWindows:
            return open_ ? "window" : "windows";
        case Mode::kWatch:
            return "watch";
    }
    return "";
}

void Governor::opened(const Usage& usage) {
    open_ = true;
    opened_ = checked_ = usage;
    strikes_ = 0;
}

void Governor::not_opened(const Usage& usage, const std::string& why) {
    mode_ = Mode::kWatch;
    open_ = false;
    closed_ = usage;
    owed_ = 0;
    not_before_ns_ = usage.now_ns + nanoseconds(refuse());
    if (reasons_.insert(why).second)
        say(usage.now_ns,
            "allocations cannot be followed" + std::string(reopens_ ? " for now: " : ": ") + why);
}

/// Seconds until it is worth another try.
double Governor::refuse() {
    return kPause * static_cast<double>(1U << std::min(refusals_++, kMostDoublings));
}

Governor::Order Governor::advance(const Usage& usage) {
    if (!open_) return may_open(usage) ? Order::kOpen : Order::kNone;
    const Cost cost = between(opened_, usage);
    if (cost.elapsed < kFirstLook) return Order::kNone;
    if (mode_ == Mode::kFull) return watch_steady(usage);
    if (stalls(cost) && cost.share() > kFarTooDear) return close(usage, Mode::kWatch, cost);
    const double length =
        stalls(cost) ? std::clamp(kWindow / cost.share(), kShortestWindow, kWindow) : kWindow;
    if (cost.elapsed < length) return Order::kNone;
    if (!fits(cost, 1)) return close(usage, reopens_ ? Mode::kWindows : Mode::kWatch, cost);
    if (mode_ != Mode::kTrying) say(usage.now_ns, "full tracking fits the budget, all the time");
    mode_ = Mode::kFull;
    refusals_ = 0;
    checked_ = usage;
    return Order::kNone;
}

Governor::Order Governor::watch_steady(const Usage& usage) {
    const Cost cost = between(checked_, usage);
    if (cost.elapsed < kLook) return Order::kNone;
    checked_ = usage;
    if (fits(cost, kSlack)) {
        strikes_ = 0;
        return Order::kNone;
    }
    const bool far = stalls(cost) && cost.share() > kFarTooDear;
    if (!far && ++strikes_ < kStrikes) return Order::kNone;
    return close(usage, far || !reopens_ ? Mode::kWatch : Mode::kWindows, cost);
}

Governor::Order Governor::close(const Usage& usage, Mode mode, const Cost& cost) {
    const bool changes = mode != mode_;
    mode_ = mode;
    open_ = false;
    closed_ = usage;
    // Random phase, the mean kept: what the target does at fixed times is not missed for ever.
    const double jitter = std::uniform_real_distribution(0.5, 1.5)(random_);
    double pause = between(opened_, usage).elapsed * (1 / kMostOfTime - 1);
    pause = std::min(pause, kWindow / kMostOfTime);  // behind a steady tier
    if (mode == Mode::kWatch)
        pause = std::max(pause, refuse());
    else
        refusals_ = 0;
    owed_ = cost.seconds * jitter;
    not_before_ns_ = usage.now_ns + nanoseconds(pause * jitter);
    if (!changes) return Order::kClose;
    const std::string price = fmt::format(
        "following every allocation takes {:.0f} % of what the target itself uses, the "
        "budget is {:g} %",
        100 * cost.share(), 100 * budget_);
    if (mode == Mode::kWindows)
        say(usage.now_ns, price + ": it is done in short windows from here on");
    else if (reopens_)
        say(usage.now_ns, price + ": stepped down to watch, to be tried again later");
    else
        say(usage.now_ns, price +
                              ": stepped down to watch, for good: this kernel has no "
                              "uprobe_multi, without which windows cannot be opened quickly");
    return Order::kClose;
}

bool Governor::may_open(const Usage& usage) const {
    if (!reopens_ || usage.now_ns < not_before_ns_) return false;
    const Cost since = between(closed_, usage);
    return kForWindows * std::max(budget_ * since.own, kFloor * since.elapsed) >= owed_;
}

}  // namespace asrtrace
