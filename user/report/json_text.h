// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A JSON document of what a worker said: it may go to a terminal (`--json -`).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace asrtrace::report {

/// Indented, a line break at the end; no text in it moves a cursor or turns the order of the rest.
std::string json_text(nlohmann::ordered_json document);

}  // namespace asrtrace::report
