// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where a module makes certain system calls, and where a probe behind each of them has the result
// and still the arguments: the kernel preserves every register but rax, rcx and r11. As in
// placement.h an instruction that the kernel emulates is the cheap place.
//
//     mov $11,%eax                    the number is known
//     syscall
//     cmp $0xfffffffffffff001,%rax    single-stepped
//     jae error                       <- here
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "user/base/bytes.h"
#include "user/capture/elf_module.h"

namespace asrtrace::capture {

struct SyscallWish {
    std::uint32_t number = 0;
    unsigned arguments = 6;  ///< of them, from the first on, the place must still have
};

struct SyscallSite {
    std::uint32_t number = 0;       ///< of the call
    std::uint64_t vaddr = 0;        ///< of the probe's instruction
    std::uint64_t file_offset = 0;  ///< likewise
    std::uint32_t distance = 0;     ///< bytes from behind the system call instruction to it
    bool emulated = false;          ///< false: right behind, at the price of a single-step
};

struct SyscallSites {
    std::vector<SyscallSite> sites;
    /// System call instructions that such a number leads to, but not it alone, or that have no
    /// place behind them; and what was not looked at because there is too much.
    std::size_t unproved = 0;
};

/// In `code`, whose first byte is at `vaddr`. A system call whose number comes from elsewhere than
/// an instruction just before is not found: libc's syscall(). file_offset is left 0. x86-64 only.
SyscallSites find_syscall_sites(Bytes code, std::uint64_t vaddr,
                                std::span<const SyscallWish> wishes);

constexpr std::size_t kMaxSyscallSites = 256;

/// In the module's sections of code, or where it names none in its executable segments. A module
/// with more code than kMaxScannedBytes is not looked at: no libc is that large.
SyscallSites find_syscall_sites(const ElfModule& module, std::span<const SyscallWish> wishes);
constexpr std::uint64_t kMaxScannedBytes = 64 << 20;

}  // namespace asrtrace::capture
