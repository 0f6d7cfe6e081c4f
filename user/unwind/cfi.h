// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Call frame information (DWARF 5, 6.4; LSB 5, 10.6.1): finds the CIEs and FDEs of a section and
// runs their instructions into unwind rows. Registers other than the stack pointer, the frame
// pointer and the return address are of no interest to a stack walk and are passed over, which is
// what makes this ten times as fast as a general reader.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/unwind.h"
#include "user/base/bytes.h"
#include "user/base/result.h"

namespace asrtrace::unwind {

/// DWARF register numbers and saved-register layout of an architecture's ABI.
struct Architecture {
    std::uint16_t machine;  ///< EM_*
    std::uint16_t sp;
    std::uint16_t fp;
    std::uint16_t return_address;
    std::uint16_t registers;  ///< below this number any may hold the CFA of an innermost frame
    bool link_register;       ///< the return address is in a register until it is saved
};

/// x86-64 (psABI 1.0, figure 3.36) or AArch64 (IHI 0057); null for others.
const Architecture* find_architecture(std::uint16_t machine);

enum class CfiFormat : std::uint8_t { kEhFrame, kDebugFrame };

struct CfiSection {
    Bytes data;
    std::uint64_t address = 0;  ///< of data[0], as linked
    CfiFormat format = CfiFormat::kEhFrame;
    bool exact_end = true;
};

struct RegisterRule {
    enum class Kind : std::uint8_t { kUnchanged, kUndefined, kAtCfa, kAtFp, kAtSp, kOther };
    Kind kind = Kind::kUnchanged;
    std::int64_t offset = 0;  ///< bytes
};

struct CfaRule {
    enum class Kind : std::uint8_t { kRegister, kDerefFp, kDerefSp, kPlt, kSignal, kOther };
    Kind kind = Kind::kOther;
    std::uint16_t reg = 0;
    std::int64_t offset = 0;  ///< bytes; for kPlt the entry offset from which 8 more are pushed
};

/// One line of the table that CFA instructions describe (DWARF 5, 6.4.1), as far as we look.
struct CfiState {
    CfaRule cfa;
    RegisterRule fp;
    RegisterRule return_address;
};

struct Cie {
    CfiState initial;
    std::uint64_t code_align = 1;
    std::int64_t data_align = 1;
    std::uint8_t pointer_encoding = 0;
    bool has_augmentation_data = false;
    bool signal_frame = false;
    bool usable = false;
};

struct Fde {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t cie = 0;
    std::uint32_t instructions = 0;  ///< offset into the section
    std::uint32_t length = 0;
};

struct CfiIndex {
    std::vector<Cie> cies;
    std::vector<Fde> fdes;      ///< by address
    std::uint64_t damaged = 0;  ///< entries that were passed over
};

/// All entries of a section; what is damaged is counted and passed over.
CfiIndex index_cfi(const CfiSection& section, const Architecture& arch);

/// Appends the rows of one FDE, relative to `text_begin`; they end where the FDE does (the caller
/// adds what follows). Precondition: text_begin <= fde.begin and fde.end - text_begin fits 32 bits.
void append_rows(const CfiSection& section, const Architecture& arch, const Cie& cie,
                 const Fde& fde, std::uint64_t text_begin, std::vector<unwind_row>& rows);

/// The rule of a state as rows express it, with pc 0; UNWIND_CFA_BAD if they cannot.
unwind_row pack_state(const CfiState& state, const Architecture& arch, bool signal_frame);

}  // namespace asrtrace::unwind
