// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Scripted recordings before the gate.
#pragma once

#include <gtest/gtest.h>

#include "tests/unit/trace_script.h"
#include "user/gate/evaluate.h"

namespace asrtrace::gate {

constexpr Day kToday{std::chrono::year(2026), std::chrono::month(6), std::chrono::day(15)};

/// 400 requests that leak `leak_bytes` each; every probe was attached.
inline ledger::Recording recorded(std::uint64_t leak_bytes, std::size_t epochs = 40,
                                  bool hostile = false) {
    auto writer = trace::Writer::in_memory();
    trace::write_script(*writer, {.epochs = epochs, .leak_bytes = leak_bytes});
    if (hostile) trace::write_hostile(*writer);
    EXPECT_TRUE(writer->finish());
    auto recording = *writer->read();
    recording.losses.attach_failed.clear();
    return recording;
}

inline Outcome outcome_of(const ledger::Recording& recording, const Policy& policy,
                          const ledger::Recording* baseline = nullptr) {
    const auto analysis = classify::analyze(recording);
    if (baseline == nullptr) return evaluate({recording, analysis}, nullptr, policy, kToday);
    const auto base = classify::analyze(*baseline);
    const Subject subject{*baseline, base};
    return evaluate({recording, analysis}, &subject, policy, kToday);
}

inline const Check* check_of(const Outcome& outcome, Rule rule, bool relative = false) {
    for (const Check& check : outcome.checks)
        if (check.rule == rule && check.relative == relative) return &check;
    return nullptr;
}

/// A policy that looks at one rule only.
inline Policy only(Rule rule, Limit limit) {
    Policy policy;
    policy.limit(rule) = limit;
    return policy;
}

}  // namespace asrtrace::gate
