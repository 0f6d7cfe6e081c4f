// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/live_view.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace asrtrace {
namespace {

constexpr double kRedrawSeconds = 1;

bool no_colour() {
    const char* value = std::getenv("NO_COLOR");  // no-color.org: present and not empty
    return value != nullptr && *value != '\0';
}

/// What the user's locale says, without loading it.
bool unicode() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        const std::string_view locale = value;
        return locale.find("UTF-8") != std::string_view::npos ||
               locale.find("utf8") != std::string_view::npos;
    }
    return false;
}

}  // namespace

LiveView::LiveView(Terminal terminal, LiveHead head)
    : terminal_(std::move(terminal)), head_(std::move(head)) {
    style_.colour = !no_colour();
    style_.unicode = unicode();
}

Wish LiveView::on_key(char key) {
    switch (key) {
        case 's':
            order_ = (order_ + 1) % kLiveOrders;
            return Wish::kNone;
        case 'c':
            return Wish::kReading;
        case 'q':
            return Wish::kEnd;
        default:
            return Wish::kNone;
    }
}

Wish LiveView::step(const Progress& now) {
    const std::string keys = terminal_.keys();
    Wish wish = Wish::kNone;
    for (const char key : keys) wish = std::max(wish, on_key(key));
    if (now.live->readings() >= awaited_readings_) message_.clear();
    if (wish == Wish::kReading) {
        awaited_readings_ = now.live->readings() + 1;
        message_ = "reading the heap ...";
    }
    if (wish == Wish::kEnd) message_ = "the report comes ...";
    const TerminalSize size = terminal_.size();
    const bool resized = size.columns != style_.columns || size.rows != style_.rows;
    if (keys.empty() && !resized && now.seconds - drawn_ < kRedrawSeconds) return wish;
    style_.columns = size.columns;
    style_.rows = size.rows;
    drawn_ = now.seconds;
    terminal_.show(live_screen(head_, now, static_cast<LiveOrder>(order_), message_, style_));
    return wish;
}

}  // namespace asrtrace
