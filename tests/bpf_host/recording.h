// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A stack taken from a live process, with all that the walker looked at: enough to walk it again on
// any machine. Text, a line a fact, numbers in hex:
//
//   asrtrace-stack 1
//   registers IP SP FP R0 ... R15        by DWARF number
//   mapping BEGIN BYTES KIND             ascending
//   row OFFSET RULE FP CFA               of the mapping above; offset from its begin; FP, CFA as
//   bits memory ADDRESS BYTES...              in one run result FLAGS REASON PC...            what
//   the walker said in the kernel
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/bpf_host/fake_target.h"
#include "user/base/result.h"

namespace asrtrace::unwind {

struct RecordedMapping {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
    unwind_mapping_kind kind = UNWIND_MAPPING_NO_TABLE;
    std::vector<unwind_row> rows;
};

struct Recording {
    std::uint64_t ip = 0;
    std::uint64_t sp = 0;
    std::uint64_t fp = 0;
    std::array<std::uint64_t, 16> regs{};
    std::vector<RecordedMapping> mappings;
    std::map<std::uint64_t, std::uint8_t> memory;
    std::uint32_t flags = 0;
    std::uint32_t reason = 0;
    std::vector<std::uint64_t> pcs;
};

std::string format_recording(const Recording& recording);

/// Error: names the line.
Result<Recording> parse_recording(const std::string& text);

/// The process as it was, as far as it is known, and the thread's registers.
FakeTarget target_of(const Recording& recording);
host_walk registers_of(const Recording& recording);

/// Walks it again.
stack_record replay(const Recording& recording, bool without_loop);

}  // namespace asrtrace::unwind
