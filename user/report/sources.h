// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Names that text and JSON share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "user/ledger/recording.h"

namespace asrtrace::report {

/// "usdt", "func", "http", "every", "none".
const char* source_name(ledger::RequestSource source);

/// Paths with requests, most bytes left behind first, then most requests; "[none]", what blocks of
/// no request hold, is not among them.
std::vector<const ledger::PathTotals*> paths_by_weight(const ledger::Recording& recording);

/// Whether blocks were followed all the time, so that it can be told whose requests hold them: not
/// in windows only (tier auto), nor not at all (watch).
bool blocks_by_path(const ledger::Recording& recording);

/// The books' classes under their names, in the order in which they are shown.
std::vector<std::pair<const char*, std::int64_t>> book_classes(const ledger::Books& books);

/// Each counter of losses under its name in JSON, zeros too.
std::vector<std::pair<const char*, std::uint64_t>> loss_counters(const ledger::Losses& losses);

/// What such a counter means, for people.
const char* loss_meaning(const std::string& name);

}  // namespace asrtrace::report
