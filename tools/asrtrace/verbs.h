// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verbs of the command, one file each. An add_ function declares its verb; when CLI11 has
// parsed it, its callback runs it and sets the exit status: 0 done, 1 gate failed, 2 usage or
// environment, 3 not enough evidence.
#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11 is called so
class App;
}

namespace asrtrace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitError = 2;
constexpr int kExitInsufficient = 3;

void add_analyze(CLI::App& app, int& exit_status);
void add_attach(CLI::App& app, int& exit_status);
void add_check(CLI::App& app, int& exit_status);
void add_diff(CLI::App& app, int& exit_status);
void add_doctor(CLI::App& app, int& exit_status);
void add_experiment(CLI::App& app, int& exit_status);
void add_flamegraph(CLI::App& app, int& exit_status);
void add_report(CLI::App& app, int& exit_status);
void add_soak(CLI::App& app, int& exit_status);
void add_run(CLI::App& app, int& exit_status);

}  // namespace asrtrace
