// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Debug files over the network, for users who ask for it. The client library is loaded when it is
// first needed; nothing else in asrtrace opens a connection.
#pragma once

#include <string>

#include "user/base/result.h"
#include "user/symbols/mapped_file.h"

namespace asrtrace::symbols {

/// Error: what is missing to use debuginfod (client library, DEBUGINFOD_URLS) and how to get it.
Status check_debuginfod();

/// The same; and fetch_debuginfo() works in a thread of its own from here on, whoever calls it:
/// what reads a target's files needs no network then. That thread has no capabilities and starts no
/// programs (settle_thread). To be called before other threads are confined.
Status start_debuginfod();

/// The debug file of `build_id` (raw bytes) from DEBUGINFOD_URLS or the client's cache; may take as
/// long as DEBUGINFOD_TIMEOUT says. Errors: no client library, not found.
Result<MappedFile> fetch_debuginfo(const std::string& build_id);

}  // namespace asrtrace::symbols
