// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/core.h>

#include <string_view>

#include "user/base/escape.h"
#include "user/gate/verdict.h"
#include "user/gate/wording.h"

namespace asrtrace::gate {
namespace {

/// Text that stays text in a cell: every character that Markdown or HTML reads is an entity or
/// behind a backslash (CommonMark 6.1: any ASCII punctuation may be), no line ends.
std::string escape_markdown(std::string_view text) {
    constexpr std::string_view kMarks = "\\`*_{}[]()#+-!|~^@:$";
    std::string out;
    for (const char c : escape_xml(escape_terminal(text))) {
        if (kMarks.find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out;
}

const char* symbol(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPass:
            return "✅";
        case Verdict::kWarn:
            return "⚠️";
        case Verdict::kFail:
            return "❌";
        case Verdict::kInconclusive:
            return "❔";
        case Verdict::kUnchecked:
            break;
    }
    return "➖";
}

}  // namespace

std::string verdict_markdown(const Shown& shown) {
    const auto safe = [](const std::string& text) { return escape_markdown(text); };
    const Outcome& outcome = shown.outcome;
    std::string out = fmt::format(
        "### {} asrtrace check: {}\n\n{}\n\n| | rule | result | by |\n|---|---|---|---|\n",
        symbol(outcome.verdict), verdict_name(outcome.verdict), safe(subject_text(shown.subject)));
    const Listing list = listing(outcome);
    for (const Check* check : list.checks) {
        const bool named = check->measured && check->measured->finding;
        out += fmt::format(
            "| {} {} | {} | {} | {} |\n", symbol(check->verdict), verdict_name(check->verdict),
            safe(check_name(*check)), safe(check_text(shown.subject, *check)),
            named ? safe(finding_text(shown.subject, *check->measured->finding)) : "");
    }
    for (const std::string& line : list.rest) out += "\n... and " + safe(line) + ".\n";
    out += "\n" + safe(correction_text(outcome)) + ".\n";
    const auto& known = shown.policy.suppressions;
    if (!outcome.suppressed.empty() || !outcome.expired.empty() || !outcome.idle.empty())
        out += "\n";
    for (const Tolerated& each : outcome.suppressed)
        out += "- suppressed: " + safe(suppressed_text(shown, each)) + "\n";
    for (const std::size_t each : outcome.expired)
        out += "- **expired**, counts no more: " + safe(suppression_text(known[each])) + "\n";
    for (const std::size_t each : outcome.idle)
        out += "- suppresses nothing: " + safe(suppression_text(known[each])) + "\n";
    return out;
}

}  // namespace asrtrace::gate
