// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// x86-64 instructions one at a time, and what has to be known of one before a probe is put behind
// it.
#pragma once

#include <capstone/capstone.h>

#include <cstdint>
#include <optional>

#include "user/base/bytes.h"

namespace asrtrace::capture {

/// Capstone with one reusable instruction.
class Disassembler {
  public:
    Disassembler();
    Disassembler(const Disassembler&) = delete;
    Disassembler& operator=(const Disassembler&) = delete;
    ~Disassembler();

    /// The instruction at the front of `code`, valid until the next call; null if it is none.
    const cs_insn* decode(Bytes code, std::uint64_t vaddr);

  private:
    csh handle_ = 0;
    cs_insn* instruction_ = nullptr;
};

Bytes bytes_of(const cs_insn& insn);

/// X86_REG_RAX for %rax, %eax, %ax, %al and %ah; the register itself if it has no parts.
unsigned whole_register(unsigned reg);

/// Where a jump or call with a displacement leads.
std::optional<std::uint64_t> branch_target(const cs_insn& insn);

/// Instructions that write nothing but their first operand and flags, and go on with the next one.
bool is_simple(unsigned id);

/// The register that a simple instruction writes, whole; 0 if it writes none.
unsigned written_register(const cs_insn& insn);

}  // namespace asrtrace::capture
