// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/live_screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "user/base/quantity.h"
#include "user/report/page.h"
#include "user/report/sources.h"

namespace asrtrace {
namespace {

using report::clipped;
using report::columns_of;

// Of the terminal's own palette, so that they suit light and dark ones.
constexpr const char* kBold = "1";
constexpr const char* kQuiet = "2";
constexpr const char* kBlue = "34";
constexpr const char* kYellow = "33";
constexpr const char* kRed = "31";
constexpr const char* kReverse = "7";

class Lines {
  public:
    explicit Lines(const LiveStyle& style) : style_(style) {}

    void add(const std::string& text, const char* colour = nullptr) {
        lines_.push_back(coloured(clipped(text, style_.columns), colour));
    }
    /// Parts of one line, each with its colour, cut where the line ends.
    void parts(const std::vector<std::pair<std::string, const char*>>& parts) {
        std::string line;
        std::size_t room = style_.columns;
        for (const auto& [text, colour] : parts) {
            const std::string shown = clipped(text, room);
            room -= std::min(room, columns_of(shown));
            line += coloured(shown, colour);
        }
        lines_.push_back(std::move(line));
    }
    std::size_t left() const { return style_.rows - std::min(style_.rows, lines_.size()); }
    std::vector<std::string> take() {
        if (lines_.size() > style_.rows) lines_.resize(style_.rows);
        return std::move(lines_);
    }

  private:
    std::string coloured(const std::string& text, const char* colour) const {
        if (colour == nullptr || !style_.colour || text.empty()) return text;
        return fmt::format("\x1b[{}m{}\x1b[0m", colour, text);
    }

    const LiveStyle& style_;
    std::vector<std::string> lines_;
};

/// As many columns as `share` of `columns` says, in eighths where the terminal can.
std::string bar(double share, std::size_t columns, bool unicode) {
    static constexpr std::array<const char*, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const double wide = std::clamp(share, 0.0, 1.0) * static_cast<double>(columns);
    const auto whole = static_cast<std::size_t>(wide);
    std::string out;
    for (std::size_t i = 0; i < whole; ++i) out += unicode ? "█" : "#";
    if (unicode) out += kEighths[static_cast<std::size_t>((wide - std::floor(wide)) * 8)];
    return out;
}

/// `values` over `columns`, from their smallest to their largest.
std::string sparkline(const std::vector<double>& values, std::size_t columns, bool unicode) {
    static constexpr std::array<const char*, 8> kBlocks{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static constexpr std::array<const char*, 8> kAscii{"_", ".", "-", "~", "=", "+", "*", "#"};
    if (values.empty()) return {};
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    const double span = *high - *low;
    const std::size_t count = std::min(columns, values.size());
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
        const double value = values[(i + 1) * values.size() / count - 1];
        const double level = span > 0 ? (value - *low) / span : 0.5;
        out += (unicode ? kBlocks : kAscii)[static_cast<std::size_t>(std::lround(level * 7))];
    }
    return out;
}

/// What the requests of each step left behind, by request; steps without any repeat the last one.
std::vector<double> left_behind(const std::vector<LivePoint>& history) {
    std::vector<double> out;
    const LivePoint* last = nullptr;
    for (const LivePoint& point : history) {
        if (last != nullptr && point.requests > last->requests)
            out.push_back((static_cast<double>(point.outlived_bytes) -
                           static_cast<double>(last->outlived_bytes)) /
                          static_cast<double>(point.requests - last->requests));
        if (last == nullptr || point.requests > last->requests) last = &point;
    }
    return out;
}

std::string clock_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

void put_head(Lines& lines, const LiveHead& head, const Progress& now, const LiveStyle& style) {
    const double rate = now.seconds > 0 ? static_cast<double>(now.requests) / now.seconds : 0;
    lines.parts({{"asrtrace ", nullptr},
                 {fmt::format("{} (pid {})", head.process, head.pid), kBold},
                 {fmt::format("  {}  {} requests ({:.1f}/s)", clock_text(now.seconds),
                              grouped(now.requests), rate),
                  nullptr}});
    lines.add(head.summary, kQuiet);
    const auto& history = now.live->history();
    const std::size_t room = style.columns > 48 ? style.columns - 46 : 0;
    std::vector<double> rss;
    for (const auto& point : history)
        if (point.rss_anon_bytes != 0) rss.push_back(static_cast<double>(point.rss_anon_bytes));
    const double growth =
        1024 * (static_cast<double>(now.rss_anon_kb) - static_cast<double>(now.first_rss_anon_kb));
    lines.parts({{fmt::format("RssAnon      {:>11} ({:>12})  ", bytes(now.rss_anon_kb * 1024),
                              signed_bytes(growth)),
                  nullptr},
                 {sparkline(rss, room, style.unicode), kBlue}});
    const double left = history.empty() || history.back().requests == 0
                            ? 0
                            : static_cast<double>(history.back().outlived_bytes) /
                                  static_cast<double>(history.back().requests);
    lines.parts({{fmt::format("left/request {:>11} {:14}  ", bytes(left), "on average"), nullptr},
                 {sparkline(left_behind(history), room, style.unicode), kYellow}});
}

void put_books(Lines& lines, const Progress& now, const LiveStyle& style) {
    const auto& last = now.live->last_reading();
    if (!last) {
        lines.add("BOOKS  the heap was not read yet", kBold);
        return;
    }
    lines.parts({{"BOOKS", kBold},
                 {fmt::format("  reading {} of the heap, {:.0f} s ago", now.live->readings(),
                              std::max(0.0, now.seconds - static_cast<double>(last->t_ns) * 1e-9)),
                  kQuiet}});
    const auto first = report::book_classes(now.live->first_reading()->books);
    const auto classes = report::book_classes(last->books);
    const double total = std::max(1.0, static_cast<double>(last->books.total()));
    const std::size_t room = style.columns > 48 ? style.columns - 46 : 0;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto& [name, value] = classes[i];
        const std::string_view kind = name;
        lines.parts(
            {{fmt::format("  {:<14} {:>11} {:>13}  ", name, bytes(static_cast<double>(value)),
                          signed_bytes(static_cast<double>(value - first[i].second))),
              nullptr},
             {bar(static_cast<double>(value) / total, room, style.unicode),
              kind == "heap.retained" ? kYellow
              : kind == "unexplained" ? kRed
                                      : kBlue}});
    }
}

bool comes_first(const LiveModel& model, LiveOrder order, const LiveSite& a, const LiveSite& b) {
    switch (order) {
        case LiveOrder::kBlocks:
            return a.outlived_blocks > b.outlived_blocks;
        case LiveOrder::kLive:
            return a.live_bytes > b.live_bytes;
        case LiveOrder::kName:
            return model.where(a.stack) < model.where(b.stack);
        case LiveOrder::kBytes:
            break;
    }
    return a.outlived_bytes > b.outlived_bytes;
}

const char* order_name(LiveOrder order) {
    switch (order) {
        case LiveOrder::kBlocks:
            return "blocks";
        case LiveOrder::kLive:
            return "live bytes";
        case LiveOrder::kName:
            return "name";
        case LiveOrder::kBytes:
            break;
    }
    return "bytes left behind";
}

void put_sites(Lines& lines, const Progress& now, LiveOrder order, std::size_t rows) {
    if (rows < 2) return;
    auto sites = now.live->sites();
    std::stable_sort(sites.begin(), sites.end(), [&](const LiveSite& a, const LiveSite& b) {
        return comes_first(*now.live, order, a, b);
    });
    lines.parts(
        {{fmt::format("{} SITES", grouped(sites.size())), kBold},
         {fmt::format("  whose blocks outlive their request, by {}", order_name(order)), kQuiet}});
    lines.add(fmt::format("{:>12} {:>12} {:>9} {:>12}  {}", "left", "per request", "blocks", "live",
                          "where"),
              kReverse);
    // Those of the epoch whose levels are shown: more may have come since.
    const auto& history = now.live->history();
    const double requests =
        history.empty() ? 1 : std::max(1.0, static_cast<double>(history.back().requests));
    for (std::size_t i = 0; i < std::min(sites.size(), rows - 2); ++i) {
        const LiveSite& site = sites[i];
        lines.add(fmt::format("{:>12} {:>12} {:>9} {:>12}  {}", bytes(site.outlived_bytes),
                              bytes(static_cast<double>(site.outlived_bytes) / requests),
                              grouped(site.outlived_blocks), bytes(site.live_bytes),
                              now.live->where(site.stack)));
    }
}

void put_cost(Lines& lines, const Progress& now) {
    const auto& cost = now.overhead;
    std::string text =
        fmt::format("COST  {} tier, {} events/s, ", cost.tier,
                    grouped(static_cast<std::uint64_t>(std::max(0.0, now.events_per_second))));
    text += cost.target_cpu_fraction ? percent(*cost.target_cpu_fraction) + " of the target's CPU, "
                                     : "";
    text += fmt::format("tracer {:.1f} s of CPU, {}", cost.tracer_cpu_seconds,
                        bytes(cost.tracer_rss_bytes));
    if (now.lost_events != 0)
        lines.parts({{text, nullptr}, {fmt::format(", LOST {}", grouped(now.lost_events)), kRed}});
    else
        lines.add(text + ", nothing lost");
}

}  // namespace

std::vector<std::string> live_screen(const LiveHead& head, const Progress& now, LiveOrder order,
                                     const std::string& message, const LiveStyle& style) {
    constexpr std::size_t kFoot = 2;
    Lines lines(style);
    put_head(lines, head, now, style);
    put_books(lines, now, style);
    put_sites(lines, now, order, lines.left() - std::min(lines.left(), kFoot));
    while (lines.left() > kFoot) lines.add("");
    put_cost(lines, now);
    lines.parts({{"s", kBold},
                 {" order  ", nullptr},
                 {"c", kBold},
                 {" read the heap  ", nullptr},
                 {"q", kBold},
                 {" end with a report", nullptr},
                 {message.empty() ? "" : "   " + message, kYellow}});
    return lines.take();
}

}  // namespace asrtrace
