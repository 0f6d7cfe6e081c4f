// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The options of a characterization run that several verbs share: its phases, and its load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "user/base/result.h"
#include "user/load/plan.h"
#include "user/soak/plan.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 is called so
class App;
}

namespace asrtrace {

struct Phases {
    soak::Plan given;
    std::string scale = "1";

    /// With the scale, which must have been checked.
    soak::Plan plan() const;
};

/// --baseline, --load, --recovery, --sample, --scale. `default_sample`: seconds, or empty for what
/// the rows show.
void add_phases(CLI::App& verb, Phases& phases, const std::string& default_sample);

struct LoadOptions {
    std::string url;
    std::vector<std::string> files;
    std::string order = "cycle";
    std::uint64_t seed = 1;
    double rate = 1;
    double timeout_seconds = 60;
};

void add_load_options(CLI::App& verb, LoadOptions& options);

/// The load of a run with these phases: a scaled one is sent faster, for at least 400 requests.
Result<load::Plan> load_plan(const LoadOptions& options, const soak::Plan& phases);

// The options as they were given, for a command to run next; each begins with a blank.
std::string phases_text(const Phases& phases);
std::string load_text(const LoadOptions& options);

}  // namespace asrtrace
