// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verb `census`: one reading of a process's glibc heap, as text and as asrtrace.census/1.
#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "user/heap/census.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 is called so
class App;
}

namespace asrtrace {

void add_census(CLI::App& app, int& exit_status);

/// Takes a census and shows it; returns the exit status (0, 2 usage or environment, 3 rejected).
int run_census(pid_t pid, const heap::CensusOptions& options, const std::string& json_path);

/// The text report, at most 100 columns wide.
std::string census_text(pid_t pid, const heap::Census& census);

/// The frames of a stack as the report writes them.
using StackJson = std::function<nlohmann::ordered_json(StackId)>;

/// The document asrtrace.census/1 with a newline at its end. Stacks that heap::add_stacks left
/// unknown, and all without `stack_json`, are null.
std::string census_json(pid_t pid, const heap::Census& census, const StackJson& stack_json = {});

}  // namespace asrtrace
