// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reads a trace back. Every block of rows is verified against its digest; of a damaged trace the
// intact beginning is returned and Recording::damage says what is missing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

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

/// A raw record (bpf/event.h) and the stacks by the keys that records name them by.
using RawStacks = std::unordered_map<std::uint64_t, StackId>;
using UseRawEvent = std::function<void(Bytes record, const RawStacks& stacks)>;

/// Calls `use` with each raw record of a trace that keeps them, in the order of the ring. Blocks
/// that are damaged are left out: Recording::raw_events tells how many records there must be.
/// Error: as read(), or none were kept.
Status read_raw_events(const std::string& path, const UseRawEvent& use);

/// The same for the bytes of a file.
Status read_raw_events(Bytes image, const std::string& name, const UseRawEvent& use);

}  // namespace asrtrace::trace
