// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How long requests took.
#pragma once

#include <cstdint>
#include <optional>

#include "user/ledger/recording.h"

namespace asrtrace::classify {

struct Latency {
    std::uint64_t p50_ns = 0, p95_ns = 0, p99_ns = 0;
};

/// Percentiles by nearest rank, of all requests: those whose rows were dropped count by their
/// distribution. Nothing without requests.
std::optional<Latency> latency(const ledger::Recording& recording);

}  // namespace asrtrace::classify
