// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Raw events as CSV (RFC 4180), a line each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "user/base/ids.h"
#include "user/decode/event.h"

namespace asrtrace::report {

/// The names of the columns: time_ns (since the window began), process (0: the target), tid, event
/// (an allocation function by its name, a call's beginning with _begin), address, size,
/// old_address, stack (as in the trace's tables), detail (key=value, separated by spaces).
/// Addresses are hex; what an event does not have is empty.
std::string raw_csv_header();

/// A line of it, the line feed included. `stack`: that of the event's key, nothing if unknown;
/// `start_ns`: when the window began, on the clock of the event.
std::string raw_csv_line(const decode::Event& event, std::optional<StackId> stack,
                         std::uint64_t start_ns);

/// The key of the event's stack, 0 if it has none.
decode::StackKey stack_key_of(const decode::Event& event);

}  // namespace asrtrace::report
