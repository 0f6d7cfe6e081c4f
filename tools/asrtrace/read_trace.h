// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A trace for a verb that goes on with what is left of it, and says on stderr what is missing.
#pragma once

#include <string>

#include "user/base/result.h"
#include "user/ledger/recording.h"

namespace asrtrace {

/// Error: as trace::read.
Result<ledger::Recording> read_trace(const std::string& path);

}  // namespace asrtrace
