// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The outcome of the gate for people and for machines. Names come from the target and are escaped
// for each format.
#pragma once

#include <string>

#include "user/gate/evaluate.h"

namespace asrtrace::gate {

/// What the formats show.
struct Shown {
    const Subject& subject;
    const Policy& policy;
    const Outcome& outcome;
    const std::string& file;  ///< name of the trace
};

std::string verdict_text(const Shown& shown);
/// "asrtrace.check/1"; docs/policy.md has an example.
std::string verdict_json(const Shown& shown);
/// A test suite with a test case a check, as Jenkins and GitLab read it: a failure for FAIL, an
/// error for INCONCLUSIVE, skipped for what was not checked.
std::string verdict_junit(const Shown& shown);
/// GitHub-flavoured Markdown, for a job's summary or a comment.
std::string verdict_markdown(const Shown& shown);

}  // namespace asrtrace::gate
