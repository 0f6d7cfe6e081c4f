// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/placement.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <vector>

#include "user/capture/disassembler.h"

namespace asrtrace::capture {
namespace {

/// No place is looked for further than this behind the entry.
constexpr std::uint64_t kWindow = 64;
/// A function's own jumps are read up to here; a larger one has no place but its entry's.
constexpr std::uint64_t kMaxFunction = 256 << 10;
constexpr std::uint64_t kJumpReach = 32ULL << 20;

/// 0 for %rdi and its parts, 1 for %rsi ...: the order of integer arguments (x86-64 psABI 3.2.3).
std::optional<unsigned> argument_of(unsigned reg) {
    static constexpr std::array<unsigned, 6> kArguments{X86_REG_RDI, X86_REG_RSI, X86_REG_RDX,
                                                        X86_REG_RCX, X86_REG_R8,  X86_REG_R9};
    const auto* const found = std::find(kArguments.begin(), kArguments.end(), whole_register(reg));
    if (found == kArguments.end()) return std::nullopt;
    return static_cast<unsigned>(found - kArguments.begin());
}

bool is_endbr(const cs_insn& insn) {
    static constexpr std::array<std::uint8_t, 4> kEndbr{0xf3, 0x0f, 0x1e, 0xfa};
    return std::ranges::equal(bytes_of(insn), kEndbr);
}

/// test %rdi,%rdi or cmp $0,%rdi: the flags say whether the first argument is NULL.
bool tests_for_null(const cs_insn& insn) {
    const cs_x86& x86 = insn.detail->x86;
    if (x86.op_count != 2 || x86.operands[0].type != X86_OP_REG ||
        x86.operands[0].reg != X86_REG_RDI)
        return false;
    if (insn.id == X86_INS_TEST)
        return x86.operands[1].type == X86_OP_REG && x86.operands[1].reg == X86_REG_RDI;
    return insn.id == X86_INS_CMP && x86.operands[1].type == X86_OP_IMM && x86.operands[1].imm == 0;
}

bool keeps_flags(unsigned id) {
    return id == X86_INS_MOV || id == X86_INS_LEA || id == X86_INS_PUSH || id == X86_INS_NOP ||
           id == X86_INS_MOVABS || id == X86_INS_MOVZX;
}

/// What is known while walking down from the entry.
struct Walk {
    const Need& need;
    std::uint32_t stack_bytes = 0;
    bool null_in_flags = false;
    bool null_passed = false;

    /// Takes `insn` into account; false if behind it the arguments or the path are not certain.
    bool step(const cs_insn& insn) {
        const cs_x86& x86 = insn.detail->x86;
        if (tests_for_null(insn)) {
            null_in_flags = true;
        } else if (!keeps_flags(insn.id)) {
            null_in_flags = false;
        }
        if (is_endbr(insn)) return true;
        if (insn.id == X86_INS_PUSH) {
            stack_bytes += 8;
            return x86.op_count == 1 && x86.operands[0].size == 8 && !need.return_probe;
        }
        if (!is_simple(insn.id)) return false;
        const unsigned written = written_register(insn);
        if (written == X86_REG_RSP) return step_stack(insn);
        const auto argument = argument_of(written);
        return !argument || *argument >= need.arguments;
    }

    bool step_stack(const cs_insn& insn) {
        const cs_x86& x86 = insn.detail->x86;
        const bool sub = insn.id == X86_INS_SUB && x86.op_count == 2 &&
                         x86.operands[0].reg == X86_REG_RSP && x86.operands[1].type == X86_OP_IMM;
        if (!sub || x86.operands[1].imm < 0 || x86.operands[1].imm > 1 << 20) return false;
        stack_bytes += static_cast<std::uint32_t>(x86.operands[1].imm);
        return !need.return_probe;
    }
};

Placement make_placement(const cs_insn& insn, std::uint64_t entry, const Walk& walk) {
    Placement place;
    place.vaddr = insn.address;
    place.emulated = true;
    place.delta = static_cast<std::uint32_t>(insn.address - entry);
    place.stack_bytes = walk.stack_bytes;
    place.instruction = insn.mnemonic;
    if (insn.op_str[0] != '\0') place.instruction.append(" ").append(insn.op_str);
    return place;
}

/// The first emulated instruction of the straight line from the entry, before `limit`.
std::optional<Placement> walk_down(Disassembler& disassembler, Bytes code, std::uint64_t entry,
                                   const Need& need, std::uint64_t limit) {
    Walk walk{need};
    std::optional<Placement> before_null_test;
    for (std::uint64_t at = 0; at < code.size() && entry + at < limit;) {
        const cs_insn* insn = disassembler.decode(code.subspan(at), entry + at);
        if (insn == nullptr) break;
        if (is_emulated(bytes_of(*insn), need.long_nops)) {
            const bool null_jump = insn->id == X86_INS_JE && walk.null_in_flags;
            const Placement place = make_placement(*insn, entry, walk);
            if (!null_jump || !need.ignore_null || walk.null_passed) return place;
            before_null_test = place;
            walk.null_passed = true;
            walk.null_in_flags = false;
        } else if (!walk.step(*insn)) {
            break;
        }
        at += insn->size;
    }
    return before_null_test;
}

void note_target(std::uint64_t target, std::uint64_t entry, std::uint64_t& limit) {
    if (target > entry) limit = std::min(limit, target);
}

/// Lowers `limit` to the first place behind the entry that the function itself jumps to: a loop
/// would pass it more than once. Reads linearly; bytes that are no instruction are skipped, and
/// data that looks like a jump only makes the answer more careful.
void limit_by_own_jumps(Disassembler& disassembler, Bytes code, std::uint64_t entry,
                        std::uint64_t& limit) {
    for (std::uint64_t at = 0; at < code.size();) {
        const cs_insn* insn = disassembler.decode(code.subspan(at), entry + at);
        if (insn == nullptr) {
            ++at;
            continue;
        }
        if (const auto target = branch_target(*insn)) note_target(*target, entry, limit);
        at += insn->size;
    }
}

/// The symbol itself.
Placement fallback(Disassembler& disassembler, Bytes code, std::uint64_t entry, const Need& need) {
    Placement place;
    place.vaddr = entry;
    const cs_insn* insn = disassembler.decode(code, entry);
    if (insn == nullptr) return place;
    place = make_placement(*insn, entry, Walk{need});
    place.emulated = is_emulated(bytes_of(*insn), need.long_nops);
    return place;
}

/// Targets in (entry, entry + kWindow) of 32-bit relative jumps and calls anywhere near, found by
/// their encoding alone, so that the code need not be disassembled.
std::vector<std::uint64_t> find_far_targets(const ElfModule& module, std::uint64_t entry) {
    std::vector<std::uint64_t> targets;
    const ElfSegment* segment = module.find_segment(entry);
    if (segment == nullptr) return targets;
    const std::uint64_t into = entry - segment->vaddr;
    const std::uint64_t from = into - std::min(into, kJumpReach);
    const std::uint64_t length = std::min(segment->file_size - from, 2 * kJumpReach);
    const std::uint64_t begin = segment->offset + from;
    module.source().stream(begin, length, 8, [&](std::uint64_t offset, Bytes piece) {
        const std::uint64_t base = segment->vaddr + from + (offset - begin);
        for (std::size_t i = 1; i + 4 <= piece.size(); ++i) {
            const std::uint8_t opcode = piece[i - 1];
            const bool jcc = (opcode & 0xf0) == 0x80 && i >= 2 && piece[i - 2] == 0x0f;
            if (opcode != 0xe8 && opcode != 0xe9 && !jcc) continue;
            std::int32_t distance;
            std::memcpy(&distance, &piece[i], sizeof(distance));
            const std::uint64_t target = base + i + 4 + static_cast<std::uint64_t>(distance);
            if (target - entry - 1 < kWindow) targets.push_back(target);
        }
        return targets.size() < 4096;
    });
    return targets;
}

}  // namespace

bool is_emulated(Bytes instruction, bool long_nops) {
    static constexpr std::array<std::array<std::uint8_t, 8>, 7> kNops{{
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    }};
    if (long_nops && instruction.size() >= 2 && instruction.size() <= 8 &&
        std::ranges::equal(instruction,
                           Bytes(kNops[instruction.size() - 2]).first(instruction.size())))
        return true;
    std::size_t at = 0;
    bool rex_b = false;
    for (; at < instruction.size(); ++at) {
        const std::uint8_t byte = instruction[at];
        // 0x66 is refused with branches and nops (-ENOTSUPP), segments and lock with everything.
        if (byte == 0x66 || byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
            byte == 0xf0)
            return false;
        const bool prefix = byte == 0xf2 || byte == 0xf3 || byte == 0x64 || byte == 0x65;
        if ((byte & 0xf0) == 0x40) {
            rex_b = (byte & 1) != 0;
        } else if (!prefix) {
            break;
        }
    }
    if (at >= instruction.size()) return false;
    const std::uint8_t opcode = instruction[at];
    if (opcode >= 0x50 && opcode <= 0x57)
        return instruction.size() == 1 || (instruction.size() == 2 && instruction[0] == 0x41);
    if (opcode == 0x90) return !rex_b;  // 41 90 exchanges %r8 and %rax
    if (opcode == 0xe8 || opcode == 0xe9 || opcode == 0xeb) return true;
    if (opcode == 0x0f) return at + 1 < instruction.size() && (instruction[at + 1] & 0xf0) == 0x80;
    return (opcode & 0xf0) == 0x70;
}

Placement place_in_code(Bytes code, std::uint64_t vaddr, const Need& need,
                        std::span<const std::uint64_t> targets) {
    Disassembler disassembler;
    std::uint64_t limit = checked_add(vaddr, kWindow).value_or(vaddr);
    for (const std::uint64_t target : targets) note_target(target, vaddr, limit);
    limit_by_own_jumps(disassembler, code, vaddr, limit);
    if (const auto place = walk_down(disassembler, code, vaddr, need, limit)) return *place;
    return fallback(disassembler, code, vaddr, need);
}

Placement place_entry(const ElfModule& module, const ElfSymbol& symbol, const Need& need) {
    Placement place;
    place.vaddr = symbol.vaddr;
    if (module.machine() == EM_X86_64) {
        const bool whole = symbol.size_bytes != 0 && symbol.size_bytes <= kMaxFunction;
        const auto code = module.bytes_up_to(symbol.vaddr, whole ? symbol.size_bytes : kWindow);
        place = place_in_code(code, symbol.vaddr, need);
        if (place.delta != 0 && !whole) {
            // Its own short jumps are unknown.
            Disassembler disassembler;
            place = fallback(disassembler, code, symbol.vaddr, need);
        } else if (place.delta != 0) {
            place = place_in_code(code, symbol.vaddr, need, find_far_targets(module, symbol.vaddr));
        }
    }
    place.file_offset = symbol.file_offset + place.delta;
    return place;
}

}  // namespace asrtrace::capture
