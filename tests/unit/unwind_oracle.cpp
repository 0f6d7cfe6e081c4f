// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unwind_oracle.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>

#include <cstdlib>

#include "user/base/fd.h"

namespace asrtrace::unwind {
namespace {

constexpr int kFp = 6;
constexpr int kReturnAddress = 16;

/// Register and offset of DW_OP_breg<n>/bregx, the form libdw gives to register rules.
bool as_breg(const Dwarf_Op& op, std::uint64_t& reg, std::int64_t& offset) {
    if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
        reg = op.atom - DW_OP_breg0;
        offset = static_cast<std::int64_t>(op.number);
        return true;
    }
    if (op.atom != DW_OP_bregx) return false;
    reg = op.number;
    offset = static_cast<std::int64_t>(op.number2);
    return true;
}

unwind_row register_row(std::uint64_t reg, std::int64_t offset) {
    if (offset < 0 || offset % 8 != 0 || offset / 8 > 0xfff) return {0, UNWIND_CFA_BAD, 0, 0};
    const auto packed =
        static_cast<std::uint16_t>(static_cast<std::int64_t>(reg << 12) + offset / 8);
    return {0, UNWIND_CFA_REGISTER, 0, static_cast<__s16>(packed)};
}

unwind_row cfa_row(const Dwarf_Op* ops, std::size_t count, bool signal) {
    unwind_row row{0, UNWIND_CFA_BAD, 0, 0};
    std::uint64_t reg = 0;
    std::int64_t offset = 0;
    if (count == 0 || !as_breg(ops[0], reg, offset)) return row;
    int kind = UNWIND_CFA_BAD;
    if (count == 1) {
        kind = reg == 7 ? UNWIND_CFA_SP : reg == 6 ? UNWIND_CFA_FP : kind;
        if (reg < 16 && kind == UNWIND_CFA_BAD) return register_row(reg, offset);
    } else if (count == 2 && ops[1].atom == DW_OP_plus_uconst) {  // libdw's form of reg + offset
        offset += static_cast<std::int64_t>(ops[1].number);
        kind = reg == 7 ? UNWIND_CFA_SP : reg == 6 ? UNWIND_CFA_FP : kind;
        if (reg < 16 && kind == UNWIND_CFA_BAD) return register_row(reg, offset);
    } else if (count == 2 && ops[1].atom == DW_OP_deref) {
        if (reg == 6) kind = UNWIND_CFA_DEREF_FP;
        if (reg == 7 && signal) return {0, UNWIND_CFA_SIGNAL, 0, 0};
    } else if (count == 3 && ops[1].atom == DW_OP_deref && ops[2].atom == DW_OP_plus_uconst &&
               ops[2].number == 8 && reg == 7) {
        kind = UNWIND_CFA_DEREF_SP;
    } else if (count == 9 && ops[1].atom == DW_OP_breg16 && ops[5].atom == DW_OP_ge) {
        kind = UNWIND_CFA_PLT;
        offset = (std::int64_t{ops[4].atom} - DW_OP_lit0) * 8;
    }
    if (kind == UNWIND_CFA_BAD || offset % 8 != 0 || std::llabs(offset) > 262000) return row;
    row.rule = static_cast<__u8>(kind);
    row.cfa_offset = static_cast<__s16>(offset / 8);
    return row;
}

/// Adds where rbp is: DW_OP_call_frame_cfa + offset, or breg6 + offset.
void add_saved(unwind_row& row, const Dwarf_Op* ops, std::size_t count, const Dwarf_Op* memory) {
    const auto set = [&](int saved, std::int64_t offset) {
        if (offset % 8 != 0 || offset < -1024 || offset > 1016)
            saved = UNWIND_SAVED_LOST, offset = 0;
        row.rule = static_cast<__u8>(row.rule | saved << 4);
        row.fp_offset = static_cast<__s8>(offset / 8);
    };
    if (count == 0) {
        // libdw: same value is (ops null, 0); undefined is (ops == ops_mem, 0).
        if (ops == memory) set(UNWIND_SAVED_LOST, 0);
        return;
    }
    std::uint64_t reg = 0;
    std::int64_t offset = 0;
    if (ops[0].atom == DW_OP_call_frame_cfa) {
        if (count == 1) return set(UNWIND_SAVED_CFA, 0);
        if (count == 2 && ops[1].atom == DW_OP_plus_uconst) {
            return set(UNWIND_SAVED_CFA, static_cast<std::int64_t>(ops[1].number));
        }
        return set(UNWIND_SAVED_LOST, 0);
    }
    if (count == 1 && as_breg(ops[0], reg, offset)) {
        if (reg == 6) return set(UNWIND_SAVED_FP, offset);
        if (reg == 7) return set(UNWIND_SAVED_SP, offset);
    }
    set(UNWIND_SAVED_LOST, 0);
}

}  // namespace

struct Oracle::State {
    UniqueFd fd;
    Elf* elf = nullptr;
    Dwarf_CFI* cfi = nullptr;
};

std::unique_ptr<Oracle> Oracle::open(const std::string& path) {
    elf_version(EV_CURRENT);
    auto state = std::make_unique<State>();
    state->fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    state->elf = elf_begin(state->fd.get(), ELF_C_READ_MMAP, nullptr);
    state->cfi = state->elf != nullptr ? dwarf_getcfi_elf(state->elf) : nullptr;
    std::unique_ptr<Oracle> oracle(new Oracle);
    oracle->state_ = std::move(state);
    return oracle->state_->cfi != nullptr ? std::move(oracle) : nullptr;
}

Oracle::~Oracle() {
    if (state_->cfi != nullptr) dwarf_cfi_end(state_->cfi);
    if (state_->elf != nullptr) elf_end(state_->elf);
}

std::optional<OracleFrame> Oracle::at(std::uint64_t address) const {
    Dwarf_Frame* raw = nullptr;
    if (dwarf_cfi_addrframe(state_->cfi, address, &raw) != 0) return std::nullopt;
    const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> frame(raw, &std::free);
    OracleFrame result;
    bool signal = false;
    dwarf_frame_info(raw, &result.begin, &result.end, &signal);
    Dwarf_Op memory[3];
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    const bool ra_known = dwarf_frame_register(raw, kReturnAddress, memory, &ops, &count) == 0;
    if (ra_known && count == 0 && ops == memory) {
        result.row = {0, UNWIND_CFA_END, 0, 0};
        return result;
    }
    const bool plain_ra = ra_known && count == 2 && ops[0].atom == DW_OP_call_frame_cfa &&
                          ops[1].atom == DW_OP_plus_uconst &&
                          static_cast<std::int64_t>(ops[1].number) == -8;
    if (dwarf_frame_cfa(raw, &ops, &count) != 0) return result;
    result.row = cfa_row(ops, count, signal);
    if (result.row.rule == UNWIND_CFA_SIGNAL) return result;
    if (!plain_ra) result.row = {0, UNWIND_CFA_BAD, 0, 0};
    if (result.row.rule == UNWIND_CFA_BAD) return result;
    if (dwarf_frame_register(raw, kFp, memory, &ops, &count) == 0) {
        add_saved(result.row, ops, count, memory);
    }
    return result;
}

}  // namespace asrtrace::unwind
