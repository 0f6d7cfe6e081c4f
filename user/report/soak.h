// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verdict on a characterization run, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "user/load/tally.h"
#include "user/report/chart.h"
#include "user/soak/verdict.h"

namespace asrtrace::report {

/// What a run that made the load itself knows beyond its rows.
struct SoakFacts {
    load::Tally tally;
    std::uint64_t unsent = 0;  ///< requests that the run ended before
    double rate = 1;           ///< requests a second, as planned
    std::uint64_t machine_oom_kills = 0, cgroup_oom_kills = 0;
    std::vector<std::string> events;  ///< what happened to the worker
    bool traced = false;
    std::vector<std::string> why;     ///< sentences: soak_why
    std::vector<ChartPoint> pss;      ///< over the run
    std::string late_meminfo;         ///< /proc/meminfo at the end of the load
    std::string command;              ///< "asrtrace soak --post ...", without --rate and the worker
    std::vector<std::string> worker;  ///< its command line
};

/// What to try next, and how; words in capitals are the reader's to fill in.
struct NextStep {
    std::string text;
    std::vector<std::string> commands;
};
/// `facts`: of a run of ours, null for rows that were recorded elsewhere.
std::vector<NextStep> next_steps(const soak::Verdict& verdict, const SoakFacts* facts);

/// The windows, the checks, the pattern, what else the run knows, the machine's memory in the words
/// of free(1), the next step. The last line is "OVERALL: PASS", "OVERALL: WARN" or "OVERALL: FAIL".
std::string soak_text(const soak::Verdict& verdict, const std::string& name,
                      const SoakFacts* facts = nullptr);

/// A run of which there is no verdict: what happened, and what is known all the same.
std::string soak_text_without_verdict(const std::string& reason, const SoakFacts& facts);

/// Likewise in the schema asrtrace.soak/1: "overall" is null, "reason" says why.
std::string soak_json_without_verdict(const std::string& reason, const SoakFacts& facts);

/// The schema asrtrace.soak/1; memory in KiB.
std::string soak_json(const soak::Verdict& verdict, const SoakFacts* facts = nullptr);

}  // namespace asrtrace::report
