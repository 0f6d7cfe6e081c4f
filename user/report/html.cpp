// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/html.h"

#include <array>
#include <string_view>
#include <utility>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/report/html_assets.h"
#include "user/report/html_data.h"
#include "user/report/text.h"

namespace asrtrace::report {
namespace {

constexpr std::size_t kMaxText = 200'000;  ///< of the text report

/// escape_xml would show a line's end as a control character.
std::string escape_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        if (out.size() > kMaxText) return out + "... the rest is in the text report\n";
        const auto end = text.find('\n');
        out += escape_xml(text.substr(0, end));
        if (end == std::string_view::npos) break;
        out += '\n';
        text.remove_prefix(end + 1);
    }
    return out;
}

std::string script() {
    std::string out;
    for (const auto part : {kFormatJs, kChartJs, kBooksJs, kSlopeJs, kFlameJs, kSitesJs, kPageJs})
        out += part;
    return out;
}

}  // namespace

std::string html(const ledger::Recording& recording, const classify::Analysis& analysis) {
    const std::string process(basename_of(recording.target.exe));
    const std::array<std::pair<std::string_view, std::string>, 5> parts{{
        {"{{title}}", "asrtrace: " + escape_xml(process.empty() ? "unknown process" : process)},
        {"{{style}}", std::string(kPageCss)},
        {"{{text}}", escape_lines(text(recording, analysis))},
        {"{{data}}", html_data(recording, analysis)},
        {"{{script}}", script()},
    }};
    // In the order of the page, each looked for behind the one before: what is put in is not
    // searched.
    std::string out;
    std::string_view page = kPageHtml;
    for (const auto& [mark, content] : parts) {
        const auto at = page.find(mark);
        out += page.substr(0, at);
        out += content;
        page.remove_prefix(at + mark.size());
    }
    return out.append(page);
}

}  // namespace asrtrace::report
