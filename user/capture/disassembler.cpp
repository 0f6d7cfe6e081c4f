// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/disassembler.h"

#include <algorithm>
#include <array>

namespace asrtrace::capture {
namespace {

bool in_group(const cs_insn& insn, unsigned group) {
    const std::uint8_t* begin = insn.detail->groups;
    const std::uint8_t* end = begin + insn.detail->groups_count;
    return std::find(begin, end, group) != end;
}

}  // namespace

Disassembler::Disassembler() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) != CS_ERR_OK) return;
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = cs_malloc(handle_);
}

Disassembler::~Disassembler() {
    if (instruction_ != nullptr) cs_free(instruction_, 1);
    if (handle_ != 0) cs_close(&handle_);
}

const cs_insn* Disassembler::decode(Bytes code, std::uint64_t vaddr) {
    if (instruction_ == nullptr) return nullptr;
    const std::uint8_t* bytes = code.data();
    std::size_t left = code.size();
    return cs_disasm_iter(handle_, &bytes, &left, &vaddr, instruction_) ? instruction_ : nullptr;
}

Bytes bytes_of(const cs_insn& insn) {
    return {insn.bytes, insn.size};
}

unsigned whole_register(unsigned reg) {
    static constexpr std::array<std::array<unsigned, 5>, 16> kParts{{
        {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
        {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
        {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
        {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
        {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, X86_REG_SIL},
        {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, X86_REG_DIL},
        {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, X86_REG_BPL},
        {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, X86_REG_SPL},
        {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B, X86_REG_R8B},
        {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B, X86_REG_R9B},
        {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B, X86_REG_R10B},
        {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B, X86_REG_R11B},
        {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B, X86_REG_R12B},
        {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B, X86_REG_R13B},
        {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B, X86_REG_R14B},
        {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B, X86_REG_R15B},
    }};
    for (const auto& parts : kParts)
        if (std::find(parts.begin(), parts.end(), reg) != parts.end()) return parts[0];
    return reg;
}

std::optional<std::uint64_t> branch_target(const cs_insn& insn) {
    const cs_x86& x86 = insn.detail->x86;
    const bool branch = in_group(insn, CS_GRP_BRANCH_RELATIVE) || in_group(insn, CS_GRP_JUMP) ||
                        insn.id == X86_INS_CALL;
    if (!branch || x86.op_count != 1 || x86.operands[0].type != X86_OP_IMM) return std::nullopt;
    return static_cast<std::uint64_t>(x86.operands[0].imm);
}

bool is_simple(unsigned id) {
    static constexpr std::array<unsigned, 34> kSimple{
        X86_INS_MOV,    X86_INS_MOVABS, X86_INS_MOVZX,  X86_INS_MOVSX,  X86_INS_MOVSXD,
        X86_INS_LEA,    X86_INS_XOR,    X86_INS_AND,    X86_INS_OR,     X86_INS_ADD,
        X86_INS_SUB,    X86_INS_SHL,    X86_INS_SHR,    X86_INS_SAR,    X86_INS_INC,
        X86_INS_DEC,    X86_INS_NEG,    X86_INS_NOT,    X86_INS_TEST,   X86_INS_CMP,
        X86_INS_BT,     X86_INS_NOP,    X86_INS_SETE,   X86_INS_SETNE,  X86_INS_SETA,
        X86_INS_SETB,   X86_INS_CMOVE,  X86_INS_CMOVNE, X86_INS_MOVAPS, X86_INS_MOVUPS,
        X86_INS_MOVDQA, X86_INS_MOVDQU, X86_INS_MOVQ,   X86_INS_MOVD};
    return std::find(kSimple.begin(), kSimple.end(), id) != kSimple.end();
}

unsigned written_register(const cs_insn& insn) {
    const cs_x86& x86 = insn.detail->x86;
    if (insn.id == X86_INS_NOP || insn.id == X86_INS_TEST || insn.id == X86_INS_CMP ||
        x86.op_count == 0 || x86.operands[0].type != X86_OP_REG)
        return 0;
    return whole_register(x86.operands[0].reg);
}

}  // namespace asrtrace::capture
