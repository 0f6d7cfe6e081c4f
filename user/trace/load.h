// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// From an open database to a Recording; shared by the reader of files and the writer's read().
#pragma once

#include "user/ledger/recording.h"
#include "user/trace/database.h"

namespace asrtrace::trace {

/// Throws SqlError if nothing in it is intact. With `recording` the trace is still being written,
/// so that an unfinished one is no sign of a dead recorder.
ledger::Recording load(Database& database, bool recording);

}  // namespace asrtrace::trace
