// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where in a function a uprobe stands. A probe on an instruction that the kernel emulates costs
// some 0.44 us a hit, on one that it single-steps 14.4 us, so the probe goes to the first emulated
// instruction that every call passes once, with the arguments still in their registers. It is
// computed from the bytes of the module at hand; where no such place is certain, it is the symbol.
//
//     free:   test %rdi,%rdi        single-stepped
//             je   out              emulated, but free(NULL) passes it too
//             push %rbp             <- here: arguments live, return address at [rsp]
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "user/base/bytes.h"
#include "user/capture/elf_module.h"

namespace asrtrace::capture {

/// What the program at the probe relies on.
struct Need {
    unsigned arguments = 1;     ///< integer arguments read, from the first on: 0 to 6
    bool return_probe = false;  ///< a return probe rewrites [rsp]: the stack must not have moved
    /// The call with a NULL first argument need not be seen: the probe may stand behind the test.
    bool ignore_null = false;
    /// The kernel emulates the multi-byte nops too (since 6.16, commit 610f6e14c29d).
    bool long_nops = false;
};

struct Placement {
    std::uint64_t file_offset = 0;
    std::uint64_t vaddr = 0;
    bool emulated = false;          ///< false: the symbol itself, at the price of a single-step
    std::uint32_t delta = 0;        ///< bytes behind the symbol
    std::uint32_t stack_bytes = 0;  ///< the return address is at [rsp + stack_bytes]
    std::string instruction;        ///< for people: "push rbp"
};

/// True for instructions that x86's uprobes carry out without a single-step on every kernel that
/// asrtrace knows (5.10 and later): push of a register, relative jump and call, nop
/// (arch/x86/kernel/uprobes.c, branch_setup_xol_ops and push_setup_xol_ops). `instruction` is one
/// whole instruction.
bool is_emulated(Bytes instruction, bool long_nops = false);

/// Place in `code`, the function's bytes from its first one at `vaddr`. `targets` are addresses
/// that other code is known to jump to. file_offset is left 0. x86-64 only.
Placement place_in_code(Bytes code, std::uint64_t vaddr, const Need& need,
                        std::span<const std::uint64_t> targets = {});

/// Place for the function `symbol` of `module`. Jumps into the function from anywhere in its
/// executable segment (up to 32 MiB away) by 32-bit displacements are taken into account.
Placement place_entry(const ElfModule& module, const ElfSymbol& symbol, const Need& need);

}  // namespace asrtrace::capture
