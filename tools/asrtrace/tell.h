// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Lines for whoever looks on, to stderr. One that is closed, full or gone is no reason to end a
// recording: what cannot be written there is lost.
#pragma once

#include <string>

#include "user/base/result.h"

namespace asrtrace {

/// `line` and a newline; on a terminal broken between words, as reports are.
void tell(const std::string& line);

/// "asrtrace: message", the message escaped.
void print_error(const Error& error);

}  // namespace asrtrace
