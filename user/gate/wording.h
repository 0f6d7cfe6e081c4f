// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How the outcome of the gate is put into words. Everything comes back unescaped: the output format
// escapes.
#pragma once

#include <string>
#include <vector>

#include "user/gate/evaluate.h"
#include "user/gate/verdict.h"

namespace asrtrace::gate {

/// "256 B per request", "12.3 MiB", "4.2 %".
std::string amount(const Subject& subject, Unit unit, double value);

/// "leak, over the baseline".
std::string check_name(const Check& check);

/// "256 B per request, surely more than 240 B per request; the limit is 0 B per request", and the
/// reason if there is one.
std::string check_text(const Subject& subject, const Check& check);

/// "leak-1: serve  plant.cpp:33  worker".
std::string finding_text(const Subject& subject, std::size_t finding);

/// What a page for people shows of an outcome.
struct Listing {
    std::vector<const Check*> checks;  ///< of each limit the gravest twenty, in their order
    std::vector<std::string> rest;     ///< a line for each limit with more of them
};
Listing listing(const Outcome& outcome);

/// "function f*, module libx*: reason, until 2027-01-31".
std::string suppression_text(const Suppression& suppression);

/// "leak-1: serve  plant.cpp:33  worker, 256 B per request, by function f*: ...".
std::string suppressed_text(const Shown& shown, const Tolerated& each);

/// A finding's first stack, a line a frame, the innermost first; empty if it has none.
std::vector<std::string> stack_lines(const Subject& subject, std::size_t finding);

/// What the intervals were widened for.
std::string correction_text(const Outcome& outcome);

/// The program and what was seen of it: "asr-worker, 300 requests, full tier".
std::string subject_text(const Subject& subject);

}  // namespace asrtrace::gate
