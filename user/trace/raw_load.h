// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Raw events out of an open trace.
#pragma once

#include "user/trace/database.h"
#include "user/trace/reader.h"

namespace asrtrace::trace {

/// Calls `use` with each raw record. Throws SqlError if there is no table of them, before the first
/// call; what cannot be read later is counted by whoever knows how many there must be.
void load_raw_events(Database& database, const UseRawEvent& use);

}  // namespace asrtrace::trace
