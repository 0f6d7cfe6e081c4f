// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The DWARF expressions that occur in practice, told by their shape (measured over the 100 largest
// libraries of a Debian system; everything else becomes a bad rule, counted by the walker).
#include <dwarf.h>

#include <optional>

#include "user/unwind/cfi_program.h"

namespace asrtrace::unwind {
namespace {

/// uc_mcontext.gregs[REG_RSP] in x86-64's ucontext, to which rsp points in __restore_rt.
constexpr std::int64_t kSavedSpInContext = 160;

struct BaseRegister {
    std::uint64_t reg;
    std::int64_t offset;
};

/// DW_OP_breg<n> offset, or DW_OP_bregx.
std::optional<BaseRegister> take_breg(ByteReader& reader) {
    const auto opcode = reader.fixed<std::uint8_t>();
    BaseRegister base{};
    if (opcode >= DW_OP_breg0 && opcode <= DW_OP_breg31) {
        base.reg = opcode - DW_OP_breg0;
    } else if (opcode == DW_OP_bregx) {
        base.reg = reader.uleb();
    } else {
        return std::nullopt;
    }
    base.offset = reader.sleb();
    if (reader.failed()) return std::nullopt;
    return base;
}

/// binutils' PLT entries (elf_x86_64_eh_frame_plt): breg7 8, breg16 0, lit15, and, lit<n>, ge,
/// lit3, shl, plus: the entry's second instruction, at offset n, has pushed the relocation's index.
std::optional<CfaRule> take_plt(ByteReader reader, const BaseRegister& base,
                                const Architecture& arch) {
    if (base.reg != arch.sp || base.offset != 8) return std::nullopt;
    const auto ip = take_breg(reader);
    if (!ip || ip->reg != arch.return_address || ip->offset != 0) return std::nullopt;
    const auto mask = reader.fixed<std::uint8_t>();
    const auto both = reader.fixed<std::uint8_t>();
    const auto from = reader.fixed<std::uint8_t>();
    if (mask != DW_OP_lit15 || both != DW_OP_and) return std::nullopt;
    if (from < DW_OP_lit0 || from > DW_OP_lit15) return std::nullopt;
    for (const std::uint8_t expected : {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus}) {
        if (reader.fixed<std::uint8_t>() != expected) return std::nullopt;
    }
    if (!reader.at_end() || reader.failed()) return std::nullopt;
    return CfaRule{CfaRule::Kind::kPlt, 0, from - DW_OP_lit0};
}

}  // namespace

CfaRule recognise_cfa(Bytes expression, const Architecture& arch) {
    constexpr CfaRule kOther{};
    ByteReader reader(expression);
    const auto base = take_breg(reader);
    if (!base) return kOther;
    if (reader.at_end()) {
        if (base->reg >= 0xffff) return kOther;
        return {CfaRule::Kind::kRegister, static_cast<std::uint16_t>(base->reg), base->offset};
    }
    if (const auto plt = take_plt(reader, *base, arch)) return *plt;
    if (reader.fixed<std::uint8_t>() != DW_OP_deref) return kOther;
    if (reader.at_end() && base->reg == arch.fp) return {CfaRule::Kind::kDerefFp, 0, base->offset};
    if (reader.at_end() && base->reg == arch.sp && base->offset == kSavedSpInContext) {
        return {CfaRule::Kind::kSignal, 0, 0};
    }
    if (base->reg != arch.sp || reader.fixed<std::uint8_t>() != DW_OP_plus_uconst) return kOther;
    const bool skips_return_address = reader.uleb() == 8;
    if (reader.failed() || !reader.at_end() || !skips_return_address) return kOther;
    return {CfaRule::Kind::kDerefSp, 0, base->offset};
}

RegisterRule recognise_location(Bytes expression, const Architecture& arch) {
    constexpr RegisterRule kOther{RegisterRule::Kind::kOther, 0};
    ByteReader reader(expression);
    const auto base = take_breg(reader);
    if (!base || !reader.at_end()) return kOther;
    if (base->reg == arch.fp) return {RegisterRule::Kind::kAtFp, base->offset};
    if (base->reg == arch.sp) return {RegisterRule::Kind::kAtSp, base->offset};
    return kOther;
}

}  // namespace asrtrace::unwind
