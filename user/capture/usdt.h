// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// USDT probes (systemtap's sys/sdt.h, note format version 3): the places where a program marks what
// it does, and how to read each argument there, in a form that a BPF program can follow.
#pragma once

#include <elf.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"
#include "user/capture/elf_module.h"
#include "user/capture/module_file.h"

namespace asrtrace::capture {

/// Index of a register in struct pt_regs, of 8 bytes each. The names are x86-64's
/// (arch/x86/include/asm/ptrace.h); arm64's x0 to x30, sp and pc are 0 to 32 there.
enum class PtReg : std::uint8_t {
    kR15,
    kR14,
    kR13,
    kR12,
    kBp,
    kBx,
    kR11,
    kR10,
    kR9,
    kR8,
    kAx,
    kCx,
    kDx,
    kSi,
    kDi,
    kOrigAx,
    kIp,
    kCs,
    kFlags,
    kSp,
    kSs,
    kNone = 255,
};

enum class UsdtArgKind : std::uint8_t {
    kUnsupported,  ///< vector register, thread-local, unresolved symbol
    kConstant,     ///< value
    kRegister,     ///< reg >> shift
    kMemory,       ///< *(reg + index * scale + value)
};

/// How to read one argument. `ip` as base is the probe's own address, as uprobes report it.
struct UsdtArg {
    UsdtArgKind kind = UsdtArgKind::kUnsupported;
    std::int8_t size = 0;  ///< bytes, negative if signed: truncate and extend to it
    PtReg reg = PtReg::kNone;
    PtReg index = PtReg::kNone;
    std::uint8_t scale = 1;
    std::uint8_t shift = 0;  ///< bits; 8 for %ah and its like
    std::uint16_t reserved = 0;
    std::int64_t value = 0;
};
static_assert(sizeof(UsdtArg) == 16);

struct UsdtProbe {
    std::string provider;
    std::string name;
    std::string module;                      ///< path as the target names it
    std::shared_ptr<const ModuleFile> file;  ///< for uprobes; from find_usdt() alone
    std::uint64_t vaddr = 0;
    std::uint64_t file_offset = 0;
    std::uint64_t semaphore_file_offset = 0;  ///< uprobes' ref_ctr_offset; 0 for none
    bool emulated = false;                    ///< a one-byte nop: cheap on every kernel
    std::string arguments_text;               ///< as the note has it
    std::vector<UsdtArg> arguments;           ///< at most 12
};

/// What operands refer to besides registers.
struct UsdtContext {
    std::uint64_t vaddr = 0;     ///< the probe's
    bool fixed_address = false;  ///< symbols are where the module says (ET_EXEC)
    /// vaddr of a symbol, if there is exactly one of that name; may be empty.
    std::function<std::optional<std::uint64_t>(std::string_view name)> find_symbol = {};
    std::uint16_t machine = EM_X86_64;  ///< or EM_AARCH64: whose registers and syntax they are
};

/// Parses "8@%rax -4@-20(%rbp) 8@$5 4@8(%rax,%rbx,4) -4@sym(%rip)", of arm64 "8@x0 -4@[sp, 12] 8@5
/// 4@[x1, x2, lsl 2]". An operand that is not understood keeps its place as kUnsupported.
std::vector<UsdtArg> parse_usdt_arguments(std::string_view text, const UsdtContext& context);

/// All probes of a module's .note.stapsdt (at most 65,536), prelink undone through .stapsdt.base.
std::vector<UsdtProbe> read_usdt(const ElfModule& module);

/// The sites of PROVIDER:NAME in all modules of the target; an empty string matches all. A probe in
/// inlined code has several sites. Error: the process cannot be read; an empty vector: no such
/// probe.
Result<std::vector<UsdtProbe>> find_usdt(pid_t pid, std::string_view provider,
                                         std::string_view name);

}  // namespace asrtrace::capture
