// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/core.h>

#include <algorithm>

#include "user/base/escape.h"
#include "user/gate/verdict.h"
#include "user/gate/wording.h"

namespace asrtrace::gate {
namespace {

std::string culprits_stack(const Subject& subject, const Check& check) {
    std::string text;
    if (!check.measured || !check.measured->finding) return text;
    for (const auto& line : stack_lines(subject, *check.measured->finding))
        text += escape_xml(line) + "\n";
    return text;
}

std::string test_case(const Subject& subject, const Check& check) {
    std::string name = check_name(check);
    if (check.measured && check.measured->finding)
        name += ", " + finding_text(subject, *check.measured->finding);
    const std::string text = escape_xml(check_text(subject, check));
    const auto head = fmt::format(
        "    <testcase classname=\"asrtrace.check\" name=\"{}\" time=\"0\">", escape_xml(name));
    switch (check.verdict) {
        case Verdict::kFail:
            return fmt::format(
                "{}\n      <failure type=\"limit\" message=\"{}\">{}</failure>\n    </testcase>\n",
                head, text, culprits_stack(subject, check));
        case Verdict::kInconclusive:
            return fmt::format(
                "{}\n      <error type=\"evidence\" message=\"{}\"/>\n    </testcase>\n", head,
                text);
        case Verdict::kUnchecked:
            return fmt::format("{}\n      <skipped message=\"{}\"/>\n    </testcase>\n", head,
                               text);
        case Verdict::kWarn:
        case Verdict::kPass:
            break;
    }
    return fmt::format("{}\n      <system-out>{}: {}</system-out>\n    </testcase>\n", head,
                       verdict_name(check.verdict), text);
}

}  // namespace

std::string verdict_junit(const Shown& shown) {
    const auto& checks = shown.outcome.checks;
    const auto number = [&](Verdict verdict) {
        return std::ranges::count(checks, verdict, &Check::verdict);
    };
    const auto counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
                                    checks.size(), number(Verdict::kFail),
                                    number(Verdict::kInconclusive), number(Verdict::kUnchecked));
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {}>\n"
        "  <testsuite name=\"{}\" {} time=\"0\">\n",
        counts, escape_xml("asrtrace check: " + subject_text(shown.subject)), counts);
    for (const Check& check : checks) out += test_case(shown.subject, check);
    return out + "  </testsuite>\n</testsuites>\n";
}

}  // namespace asrtrace::gate
