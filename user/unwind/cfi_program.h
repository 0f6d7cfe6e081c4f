// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Runs call frame instructions (DWARF 5, 6.4.2).
#pragma once

#include <cstdint>
#include <vector>

#include "user/unwind/byte_reader.h"
#include "user/unwind/cfi.h"

namespace asrtrace::unwind {

class CfiProgram {
  public:
    CfiProgram(const Architecture& arch, const Cie& cie, const CfiState& initial)
        : arch_(arch), cie_(cie), initial_(initial), state_(initial) {}

    /// A CIE's instructions. False: an instruction that nobody knows, or one cut short.
    bool run(Bytes instructions);

    /// An FDE's instructions over [location, end); appends a row wherever the rule changes.
    void run(Bytes instructions, std::uint32_t location, std::uint32_t end,
             std::vector<unwind_row>& rows);

    const CfiState& state() const { return state_; }

  private:
    static constexpr std::size_t kMaxRemembered = 64;

    bool step(ByteReader& reader);
    bool step_extended(ByteReader& reader, std::uint8_t opcode);
    bool step_cfa(ByteReader& reader, std::uint8_t opcode);
    bool step_register(ByteReader& reader, std::uint8_t opcode);
    bool advance(std::uint64_t delta);
    bool restore_state();
    void emit();
    void set_register(std::uint64_t reg, RegisterRule::Kind kind, std::int64_t offset);
    void restore_register(std::uint64_t reg);
    std::int64_t factored(std::int64_t value) const;
    RegisterRule* rule_of(CfiState& state, std::uint64_t reg) const;

    const Architecture& arch_;
    const Cie& cie_;
    const CfiState initial_;  // what DW_CFA_restore goes back to
    CfiState state_;
    std::vector<CfiState> remembered_;
    std::uint32_t location_ = 0;
    std::uint32_t end_ = 0;
    std::vector<unwind_row>* rows_ = nullptr;
};

/// DW_CFA_def_cfa_expression: the few that compilers, PLTs and OpenSSL write; kOther for the rest.
CfaRule recognise_cfa(Bytes expression, const Architecture& arch);

/// DW_CFA_expression of a register: "in memory at breg + offset"; kOther for the rest.
RegisterRule recognise_location(Bytes expression, const Architecture& arch);

}  // namespace asrtrace::unwind
