// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "user/base/escape.h"
#include "user/base/quantity.h"
#include "user/report/flame_script.h"
#include "user/report/flame_tree.h"
#include "user/report/names.h"
#include "user/report/page.h"

namespace asrtrace::report {
namespace {

constexpr double kWidth = 1200;  ///< without a script; with one, that of the window
constexpr double kMargin = 10;
constexpr std::size_t kRow = 17;
constexpr std::size_t kTop = 92;
constexpr std::size_t kRemark = 20;
constexpr double kSmallestShare = 1.0 / 10'000;
constexpr std::size_t kMaxBoxes = 8000;  ///< about 3 MB
constexpr std::size_t kMaxLabel = 200;

std::uint32_t hash_of(std::string_view text) {
    std::uint32_t hash = 2166136261U;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    return hash ^ (hash >> 15);
}

/// The module gives the hue, the function the shade: light enough for black text.
std::string colour_of(const FlameFrame& frame) {
    if (frame.module.empty()) return "#bdbdbd";
    const auto shade = hash_of(frame.name);
    return fmt::format("hsl({},{}%,{}%)", (hash_of(frame.module) + shade % 24) % 360,
                       50 + shade / 32 % 20, 66 + shade / 1024 % 14);
}

/// Red for more, blue for less; the paler, the smaller the change is beside the box.
std::string change_colour(const FlameBox& box) {
    const double change = static_cast<double>(box.bytes) - static_cast<double>(box.base_bytes);
    const double share = change / static_cast<double>(std::max(box.bytes, box.base_bytes));
    return fmt::format("hsl({},{}%,{:.0f}%)", share < 0 ? 212 : 4, share == 0 ? 0 : 80,
                       92 - 30 * std::abs(share));
}

std::string size_of(const FlameBox& box, double share, bool compared) {
    if (!compared)
        return fmt::format("{} ({} bytes), {}", bytes(box.bytes), box.bytes, percent(share));
    const double change = static_cast<double>(box.bytes) - static_cast<double>(box.base_bytes);
    return fmt::format("{} to {}: {}", bytes(box.base_bytes), bytes(box.bytes),
                       signed_bytes(change));
}

std::string without_script_label(const std::string& label, double width) {
    const double room = (width - 6) / 7.25;
    if (room < 4) return {};
    const auto columns = static_cast<std::size_t>(room);
    return clipped(label, columns);
}

std::string box(const FlameTree& tree, const FlameBox& box, bool compared) {
    const auto total = static_cast<double>(tree.total_width);
    const double x = static_cast<double>(box.begin) / total;
    const double share = static_cast<double>(box.width) / total;
    const double left = kMargin + x * (kWidth - 2 * kMargin);
    const double width = share * (kWidth - 2 * kMargin);
    const std::size_t y = kTop + (tree.depth - box.depth) * kRow;
    const auto label = clipped(shorten_function(box.frame.name), kMaxLabel);
    std::string where = box.frame.module;
    if (!box.frame.location.empty()) where += (where.empty() ? "" : ", ") + box.frame.location;
    std::string out = fmt::format(
        "<g class=\"f\" tabindex=\"{}\" data-x=\"{:.9f}\" data-w=\"{:.9f}\" data-d=\"{}\" "
        "data-label=\"{}\">",
        box.depth == 0 ? 0 : -1, x, share, box.depth, escape_xml(label));
    out += fmt::format("<title>{}\n{}\n{}</title>", escape_xml(clipped(box.frame.name, 2000)),
                       escape_xml(where), size_of(box, share, compared));
    out += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" rx=\"1\" fill=\"{}\"/>", left,
        y, width, kRow - 1, compared ? change_colour(box) : colour_of(box.frame));
    out += fmt::format("<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n", left + 3, y + 12,
                       escape_xml(without_script_label(label, width)));
    return out;
}

std::string title_of(const Flame& flame, const FlameBox& whole) {
    if (flame.compared)
        return fmt::format("{}: {} to {}; red is more, blue is less", flame_title(flame.kind),
                           bytes(whole.base_bytes), bytes(whole.bytes));
    return fmt::format("{}: {}, {}", flame_title(flame.kind), bytes(whole.bytes),
                       flame.process.empty() ? "unknown process" : clipped(flame.process, 60));
}

/// What stands below the boxes.
std::vector<std::string> remarks(const Flame& flame, const FlameTree& tree) {
    std::vector<std::string> out;
    if (flame.compared)
        out.push_back(fmt::format("{} requests, compared with {}; bytes are as they were held",
                                  grouped(flame.requests), grouped(flame.base_requests)));
    if (tree.omitted != 0)
        out.push_back(fmt::format("{} boxes below {:.2g} % are not drawn", grouped(tree.omitted),
                                  100 * tree.smallest_share));
    return out;
}

std::string head(const std::string& title, std::size_t height) {
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"100%\" "
        "height=\"{}\" preserveAspectRatio=\"xMinYMin meet\" viewBox=\"0 0 {} {}\" "
        "data-height=\"{}\" aria-label=\"{}\">\n<style>{}</style>\n",
        height, kWidth, height, height, escape_xml(title), kFlameStyle);
    out += fmt::format("<text class=\"title\" x=\"10\" y=\"24\">{}</text>\n", escape_xml(title));
    out +=
        "<foreignObject class=\"holder off\" x=\"10\" y=\"34\" width=\"1180\" height=\"28\">"
        "<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"bar\">"
        "<input class=\"search\" type=\"search\" placeholder=\"search ( / ), regex\" "
        "aria-label=\"Search functions, modules and files\"/>"
        "<button class=\"reset\" type=\"button\">Reset zoom (Esc)</button></div>"
        "</foreignObject>\n"
        "<text class=\"info\" x=\"10\" y=\"80\" aria-live=\"polite\"></text>\n";
    return out;
}

}  // namespace

std::string flame_svg(const Flame& flame) {
    const auto tree = flame_tree(flame.stacks, kSmallestShare, kMaxBoxes);
    const auto below = remarks(flame, tree);
    const std::size_t foot = kTop + (tree.depth + 1) * kRow + 10;
    std::string out = head(title_of(flame, tree.boxes.front()), foot + kRemark * below.size());
    for (const auto& each : tree.boxes) out += box(tree, each, flame.compared);
    for (std::size_t i = 0; i < below.size(); ++i)
        out += fmt::format("<text class=\"info\" x=\"10\" y=\"{}\">{}</text>\n",
                           foot + kRemark * (i + 1) - 10, below[i]);
    out += fmt::format("<script><![CDATA[{}]]></script>\n</svg>\n", kFlameScript);
    return out;
}

}  // namespace asrtrace::report
