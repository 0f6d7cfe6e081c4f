// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reads a trace back. Every block of rows is verified against its digest; of a damaged trace the
// intact beginning is returned and Recording::damage says what is missing.
#pragma once

#include <string>

#include "user/base/bytes.h"
#include "user/base/result.h"
#include "user/ledger/recording.h"

namespace asrtrace::trace {

/// Reads a finished trace, or one whose recorder died or still runs (with its -wal beside it); for
/// a trace that this very process is writing there is Writer::read().
/// Error: no such file, not a trace, a newer format, or nothing intact in it; names file and
/// reason.
Result<ledger::Recording> read(const std::string& path);

/// The same for the bytes of a file; `name` is for messages.
Result<ledger::Recording> read_image(Bytes image, const std::string& name);

}  // namespace asrtrace::trace
