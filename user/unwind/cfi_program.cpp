// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/cfi_program.h"

#include <dwarf.h>

#include <algorithm>

namespace asrtrace::unwind {
namespace {

constexpr std::uint8_t kAArch64NegateRaState = 0x2d;  // also DW_CFA_GNU_window_save

bool fits_i8(std::int64_t value) {
    return value >= -128 && value <= 127;
}
bool fits_i16(std::int64_t value) {
    return value >= -32768 && value <= 32767;
}

/// Prologues that realign the stack (r10), eh_return epilogues (rcx), hand-written leaves (rax
/// ...).
unwind_row pack_register(const CfaRule& cfa) {
    if (cfa.offset % 8 != 0 || cfa.offset < 0 || cfa.offset / 8 > 0xfff) {
        return {0, UNWIND_CFA_BAD, 0, 0};
    }
    const auto packed = static_cast<std::uint16_t>(cfa.reg << 12 | cfa.offset / 8);
    return {0, UNWIND_CFA_REGISTER, 0, static_cast<__s16>(packed)};
}

/// The CFA half of a row; UNWIND_CFA_BAD if it does not fit.
unwind_row pack_cfa(const CfaRule& cfa, const Architecture& arch) {
    unwind_row row{0, UNWIND_CFA_BAD, 0, 0};
    std::int64_t unit = 8;
    unwind_cfa kind = UNWIND_CFA_BAD;
    switch (cfa.kind) {
        case CfaRule::Kind::kRegister:
            if (cfa.reg == arch.sp) kind = UNWIND_CFA_SP;
            if (cfa.reg == arch.fp) kind = UNWIND_CFA_FP;
            if (kind == UNWIND_CFA_BAD && cfa.reg < arch.registers) return pack_register(cfa);
            break;
        case CfaRule::Kind::kDerefFp:
            kind = UNWIND_CFA_DEREF_FP;
            break;
        case CfaRule::Kind::kDerefSp:
            kind = UNWIND_CFA_DEREF_SP;
            break;
        case CfaRule::Kind::kPlt:
            kind = UNWIND_CFA_PLT;
            unit = 1;
            break;
        case CfaRule::Kind::kSignal:
        case CfaRule::Kind::kOther:
            break;
    }
    if (kind == UNWIND_CFA_BAD || cfa.offset % unit != 0 || !fits_i16(cfa.offset / unit))
        return row;
    row.rule = kind;
    row.cfa_offset = static_cast<__s16>(cfa.offset / unit);
    return row;
}

/// Adds "fp is saved in a slot at `rule`"; false if no row can say so.
bool pack_slot(unwind_row& row, const RegisterRule& rule) {
    using Kind = RegisterRule::Kind;
    if (rule.offset % 8 != 0) return false;
    std::int64_t words = rule.offset / 8;
    unwind_saved saved = UNWIND_SAVED_CFA;
    if (rule.kind == Kind::kAtFp) saved = UNWIND_SAVED_FP;
    if (rule.kind == Kind::kAtSp) saved = UNWIND_SAVED_SP;
    // GCC on arm64 saves the pair at the bottom of the frame: where sp and then fp point, far from
    // the CFA.
    if (saved == UNWIND_SAVED_CFA && !fits_i8(words) &&
        (row.rule == UNWIND_CFA_SP || row.rule == UNWIND_CFA_FP)) {
        words += row.cfa_offset;
        saved = row.rule == UNWIND_CFA_SP ? UNWIND_SAVED_SP : UNWIND_SAVED_FP;
    }
    if (!fits_i8(words)) return false;
    row.rule = static_cast<__u8>(row.rule | saved << 4);
    row.fp_offset = static_cast<__s8>(words);
    return true;
}

void set_saved(unwind_row& row, unwind_saved saved) {
    row.rule = static_cast<__u8>(row.rule | saved << 4);
}

bool has_slot(const RegisterRule& rule) {
    using Kind = RegisterRule::Kind;
    return rule.kind == Kind::kAtCfa || rule.kind == Kind::kAtFp || rule.kind == Kind::kAtSp;
}

/// arm64: the return address beside the frame pointer, alone in a slot, or still in x30.
bool pack_link_register(unwind_row& row, const CfiState& state) {
    using Kind = RegisterRule::Kind;
    const RegisterRule& fp = state.fp;
    const RegisterRule& ra = state.return_address;
    if (ra.kind == Kind::kUnchanged) {
        if (fp.kind == Kind::kUnchanged) return true;
        if (fp.kind != Kind::kAtCfa || fp.offset % 8 != 0 || !fits_i8(fp.offset / 8)) return false;
        row.fp_offset = static_cast<__s8>(fp.offset / 8);
        set_saved(row, UNWIND_SAVED_FP_ONLY);
        return true;
    }
    if (!has_slot(ra)) return false;
    const auto apart =
        static_cast<std::uint64_t>(ra.offset) - static_cast<std::uint64_t>(fp.offset);
    if (fp.kind == ra.kind && apart == 8) return pack_slot(row, fp);
    if (fp.kind != Kind::kUnchanged || ra.kind != Kind::kAtCfa || ra.offset % 8 != 0) return false;
    if (!fits_i8(ra.offset / 8)) return false;
    row.fp_offset = static_cast<__s8>(ra.offset / 8);
    set_saved(row, UNWIND_SAVED_RA_ONLY);
    return true;
}

}  // namespace

unwind_row pack_state(const CfiState& state, const Architecture& arch, bool signal_frame) {
    using Kind = RegisterRule::Kind;
    constexpr unwind_row kBad{0, UNWIND_CFA_BAD, 0, 0};
    // Both kernels keep the interrupted registers at a fixed place; the walker reads them there. On
    // x86-64 others use the 'S' augmentation too, so the CFA has to look like glibc's __restore_rt.
    if (signal_frame && (arch.link_register || state.cfa.kind == CfaRule::Kind::kSignal)) {
        return {0, UNWIND_CFA_SIGNAL, 0, 0};
    }
    const RegisterRule& ra = state.return_address;
    if (ra.kind == Kind::kUndefined) return {0, UNWIND_CFA_END, 0, 0};
    unwind_row row = pack_cfa(state.cfa, arch);
    if (row.rule == UNWIND_CFA_BAD) return kBad;
    if (arch.link_register) return pack_link_register(row, state) ? row : kBad;
    if (ra.kind != Kind::kAtCfa || ra.offset != -8) return kBad;
    if (state.fp.kind == Kind::kUnchanged) return row;
    if (!has_slot(state.fp) || !pack_slot(row, state.fp)) set_saved(row, UNWIND_SAVED_LOST);
    return row;
}

RegisterRule* CfiProgram::rule_of(CfiState& state, std::uint64_t reg) const {
    if (reg == arch_.fp) return &state.fp;
    if (reg == arch_.return_address) return &state.return_address;
    return nullptr;
}

void CfiProgram::set_register(std::uint64_t reg, RegisterRule::Kind kind, std::int64_t offset) {
    if (RegisterRule* rule = rule_of(state_, reg)) *rule = {kind, offset};
}

void CfiProgram::restore_register(std::uint64_t reg) {
    if (reg == arch_.fp) state_.fp = initial_.fp;
    if (reg == arch_.return_address) state_.return_address = initial_.return_address;
}

std::int64_t CfiProgram::factored(std::int64_t value) const {
    std::int64_t product = 0;
    // An impossible offset becomes one that no row can hold.
    if (__builtin_mul_overflow(value, cie_.data_align, &product)) return 1;
    return product;
}

void CfiProgram::emit() {
    if (rows_ == nullptr) return;
    unwind_row row = pack_state(state_, arch_, cie_.signal_frame);
    row.pc = location_;
    if (!rows_->empty()) {
        unwind_row& last = rows_->back();
        if (last.pc == location_) {
            last = row;
            return;
        }
        if (last.rule == row.rule && last.fp_offset == row.fp_offset &&
            last.cfa_offset == row.cfa_offset) {
            return;
        }
    }
    rows_->push_back(row);
}

/// False when the FDE's end is reached: nothing that follows can matter.
bool CfiProgram::advance(std::uint64_t delta) {
    if (rows_ == nullptr) return true;
    emit();
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(delta, cie_.code_align, &bytes) || bytes >= end_ - location_) {
        location_ = end_;
        return false;
    }
    location_ += static_cast<std::uint32_t>(bytes);
    return true;
}

bool CfiProgram::restore_state() {
    if (remembered_.empty()) return false;
    state_ = remembered_.back();
    remembered_.pop_back();
    return true;
}

bool CfiProgram::step(ByteReader& reader) {
    const auto byte = reader.fixed<std::uint8_t>();
    const std::uint8_t low = byte & 0x3f;
    switch (byte & 0xc0) {
        case DW_CFA_advance_loc:
            return advance(low);
        case DW_CFA_offset:
            set_register(low, RegisterRule::Kind::kAtCfa,
                         factored(static_cast<std::int64_t>(reader.uleb())));
            return true;
        case DW_CFA_restore:
            restore_register(low);
            return true;
        default:
            return step_extended(reader, byte);
    }
}

bool CfiProgram::step_extended(ByteReader& reader, std::uint8_t opcode) {
    switch (opcode) {
        case DW_CFA_nop:
        case kAArch64NegateRaState:
            return true;
        case DW_CFA_advance_loc1:
            return advance(reader.fixed<std::uint8_t>());
        case DW_CFA_advance_loc2:
            return advance(reader.fixed<std::uint16_t>());
        case DW_CFA_advance_loc4:
            return advance(reader.fixed<std::uint32_t>());
        case DW_CFA_remember_state:
            if (remembered_.size() >= kMaxRemembered) return false;
            remembered_.push_back(state_);
            return true;
        case DW_CFA_restore_state:
            return restore_state();
        case DW_CFA_GNU_args_size:
            reader.uleb();
            return true;
        default:
            return step_cfa(reader, opcode) || step_register(reader, opcode);
    }
}

/// Instructions that define the CFA; false: this is none.
bool CfiProgram::step_cfa(ByteReader& reader, std::uint8_t opcode) {
    using Kind = CfaRule::Kind;
    CfaRule& cfa = state_.cfa;
    const auto reg = [&] {
        return static_cast<std::uint16_t>(std::min<std::uint64_t>(reader.uleb(), 0xfffe));
    };
    switch (opcode) {
        case DW_CFA_def_cfa:
            cfa = {Kind::kRegister, reg(), 0};
            cfa.offset = static_cast<std::int64_t>(reader.uleb());
            return true;
        case DW_CFA_def_cfa_sf:
            cfa = {Kind::kRegister, reg(), 0};
            cfa.offset = factored(reader.sleb());
            return true;
        case DW_CFA_def_cfa_register:
            cfa.reg = reg();
            return true;
        case DW_CFA_def_cfa_offset:
            cfa.offset = static_cast<std::int64_t>(reader.uleb());
            return true;
        case DW_CFA_def_cfa_offset_sf:
            cfa.offset = factored(reader.sleb());
            return true;
        case DW_CFA_def_cfa_expression:
            cfa = recognise_cfa(reader.take(reader.uleb()), arch_);
            return true;
        default:
            return false;
    }
}

/// Instructions that say where a register is; false: nobody knows this one (or, like
/// DW_CFA_set_loc, no compiler writes it).
bool CfiProgram::step_register(ByteReader& reader, std::uint8_t opcode) {
    using Kind = RegisterRule::Kind;
    const std::uint64_t reg = reader.uleb();
    switch (opcode) {
        case DW_CFA_offset_extended:
            set_register(reg, Kind::kAtCfa, factored(static_cast<std::int64_t>(reader.uleb())));
            return true;
        case DW_CFA_offset_extended_sf:
            set_register(reg, Kind::kAtCfa, factored(reader.sleb()));
            return true;
        case DW_CFA_GNU_negative_offset_extended:
            set_register(reg, Kind::kAtCfa, factored(static_cast<std::int64_t>(0 - reader.uleb())));
            return true;
        case DW_CFA_restore_extended:
            restore_register(reg);
            return true;
        case DW_CFA_undefined:
            set_register(reg, Kind::kUndefined, 0);
            return true;
        case DW_CFA_same_value:
            set_register(reg, Kind::kUnchanged, 0);
            return true;
        case DW_CFA_register:
        case DW_CFA_val_offset:
        case DW_CFA_val_offset_sf:
            set_register(reg, Kind::kOther, 0);
            reader.uleb();
            return true;
        case DW_CFA_val_expression:
            set_register(reg, Kind::kOther, 0);
            reader.skip(reader.uleb());
            return true;
        case DW_CFA_expression: {
            const RegisterRule rule = recognise_location(reader.take(reader.uleb()), arch_);
            set_register(reg, rule.kind, rule.offset);
            return true;
        }
        default:
            return false;
    }
}

bool CfiProgram::run(Bytes instructions) {
    ByteReader reader(instructions);
    while (!reader.at_end()) {
        if (!step(reader)) return false;
    }
    return !reader.failed();
}

void CfiProgram::run(Bytes instructions, std::uint32_t location, std::uint32_t end,
                     std::vector<unwind_row>& rows) {
    ByteReader reader(instructions);
    location_ = location;
    end_ = end;
    rows_ = &rows;
    bool understood = true;
    while (understood && !reader.at_end()) {
        understood = step(reader);
        if (location_ == end_) return;
    }
    // An instruction that could not be understood spoils the rest of the function.
    if (!understood || reader.failed()) state_.cfa.kind = CfaRule::Kind::kOther;
    emit();
}

void append_rows(const CfiSection& section, const Architecture& arch, const Cie& cie,
                 const Fde& fde, std::uint64_t text_begin, std::vector<unwind_row>& rows) {
    const auto instructions = slice_at(section.data, fde.instructions, fde.length);
    if (!instructions) return;
    CfiProgram program(arch, cie, cie.initial);
    program.run(*instructions, static_cast<std::uint32_t>(fde.begin - text_begin),
                static_cast<std::uint32_t>(fde.end - text_begin), rows);
}

}  // namespace asrtrace::unwind
