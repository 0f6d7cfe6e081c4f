// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Figures of runs that there never were.
#pragma once

#include <string>

#include "user/experiment/trial.h"

namespace asrtrace::experiment {

constexpr double kMib = 1 << 20;

inline Figures figures(double peak_mib, double p95_ms, double cpu_ms = 10, double failed = 0) {
    Figures out;
    out.plateau_bytes = out.peak_bytes = peak_mib * kMib;
    out.p95_ms = p95_ms;
    out.cpu_ms_per_request = cpu_ms;
    out.answered = 400;
    out.failed = failed;
    return out;
}

inline Trial named(const std::string& name, const Figures& of) {
    Trial trial;
    trial.variant.name = name;
    trial.rounds = {of};
    trial.figures = of;
    return trial;
}

}  // namespace asrtrace::experiment
