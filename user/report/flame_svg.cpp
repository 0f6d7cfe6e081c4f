// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

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

std::string without_script_label(const std::string& label, double width) {
    const double room = (width - 6) / 7.25;
    if (room < 4) return {};
    const auto columns = static_cast<std::size_t>(room);
    return clipped(label, columns);
}

std::string box(const FlameTree& tree, const FlameBox& box) {
    const auto total = static_cast<double>(tree.total_bytes);
    const double x = static_cast<double>(box.begin) / total;
    const double share = static_cast<double>(box.bytes) / total;
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
    out += fmt::format("<title>{}\n{}\n{} ({} bytes), {}</title>",
                       escape_xml(clipped(box.frame.name, 2000)), escape_xml(where),
                       bytes(box.bytes), box.bytes, percent(share));
    out += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\" rx=\"1\" fill=\"{}\"/>", left,
        y, width, kRow - 1, colour_of(box.frame));
    out += fmt::format("<text x=\"{:.2f}\" y=\"{}\">{}</text></g>\n", left + 3, y + 12,
                       escape_xml(without_script_label(label, width)));
    return out;
}

std::string head(const ledger::Recording& recording, const FlameTree& tree, FlameKind kind,
                 std::size_t height) {
    const std::string process(basename_of(recording.target.exe));
    const auto title = fmt::format("{}: {}, {}", flame_title(kind), bytes(tree.total_bytes),
                                   process.empty() ? "unknown process" : clipped(process, 60));
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

std::string flame_svg(const ledger::Recording& recording, const std::vector<WeighedStack>& stacks,
                      FlameKind kind) {
    const auto tree = flame_tree(recording, stacks, kSmallestShare, kMaxBoxes);
    const std::size_t foot = tree.omitted == 0 ? 0 : 20;
    const std::size_t height = kTop + (tree.depth + 1) * kRow + 10 + foot;
    std::string out = head(recording, tree, kind, height);
    for (const auto& each : tree.boxes) out += box(tree, each);
    if (tree.omitted != 0)
        out += fmt::format(
            "<text class=\"info\" x=\"10\" y=\"{}\">{} boxes below {:.2g} % are not drawn</text>\n",
            height - 10, grouped(tree.omitted), 100 * tree.smallest_share);
    out += fmt::format("<script><![CDATA[{}]]></script>\n</svg>\n", kFlameScript);
    return out;
}

}  // namespace asrtrace::report
