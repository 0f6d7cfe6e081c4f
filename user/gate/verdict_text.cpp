// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/core.h>

#include "user/base/escape.h"
#include "user/gate/verdict.h"
#include "user/gate/wording.h"
#include "user/report/page.h"

namespace asrtrace::gate {

std::string verdict_text(const Shown& shown) {
    report::Page page;
    const auto paragraph = [&](const std::string& text, std::size_t indent) {
        page.paragraph(escape_terminal(text), indent);
    };
    page.line(fmt::format("asrtrace check: {}  {}", verdict_name(shown.outcome.verdict),
                          escape_terminal(subject_text(shown.subject))));
    page.line();
    const Listing list = listing(shown.outcome);
    for (const Check* check : list.checks) {
        page.line(fmt::format("  {:<12}  {}", verdict_name(check->verdict), check_name(*check)));
        paragraph(check_text(shown.subject, *check), 16);
        if (check->measured && check->measured->finding)
            paragraph("by " + finding_text(shown.subject, *check->measured->finding), 16);
    }
    for (const std::string& line : list.rest) paragraph("... and " + line, 2);
    page.line();
    paragraph(correction_text(shown.outcome), 2);
    const auto& known = shown.policy.suppressions;
    for (const Tolerated& each : shown.outcome.suppressed)
        paragraph("suppressed: " + suppressed_text(shown, each), 2);
    for (const std::size_t each : shown.outcome.expired)
        paragraph("expired, counts no more: " + suppression_text(known[each]), 2);
    for (const std::size_t each : shown.outcome.idle)
        paragraph("suppresses nothing: " + suppression_text(known[each]), 2);
    return page.take();
}

}  // namespace asrtrace::gate
