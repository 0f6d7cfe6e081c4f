// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What the tracer has to know of the processor that it is built for, all in one place. A target is
// of the same architecture. (The BPF programs' part is bpf/arch.bpf.h; files say theirs in ELF.)
#pragma once

#include <linux/audit.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace asrtrace {

/// Words that PTRACE_GETREGSET gives of NT_PRSTATUS, and which of them is what; none: not there.
struct RegisterWords {
    std::size_t count;
    std::size_t instruction_pointer;
    std::size_t stack_pointer;
    std::size_t thread_pointer;
};
constexpr std::size_t kNoWord = ~std::size_t{0};

/// An instruction that stops a traced thread, and how far the instruction pointer is behind it
/// then.
struct Breakpoint {
    std::uint64_t code;
    std::uint64_t mask;  ///< of the bytes that it takes
    std::uint64_t passed_bytes;
};

/// How glibc's struct pthread shows itself: two of its words hold the same address of its own.
struct ThreadBlockSigns {
    std::size_t alignment;             ///< of the struct: TCB_ALIGNMENT
    std::array<std::size_t, 2> words;  ///< offsets
    std::size_t points_to;             ///< offset
    std::size_t thread_id_from;        ///< tid is no nearer to the beginning
    std::size_t dtv;                   ///< offset of the pointer to it; kNoWord: not in there
};

#if defined(__x86_64__)

constexpr std::uint32_t kAuditArchitecture = AUDIT_ARCH_X86_64;
/// struct user_regs_struct, sys/user.h: rip, rsp, fs_base.
constexpr RegisterWords kRegisterWords{27, 16, 19, 21};
constexpr Breakpoint kBreakpoint{0xcc, 0xff, 1};  // int3
/// Bytes that a leaf function may use below the stack pointer (psABI 3.2.2).
constexpr std::uint64_t kRedZoneBytes = 128;
/// Where a return probe stands the kernel makes these system calls in the thread's name (uretprobe,
/// uprobe); before 6.14 seccomp filters are asked.
constexpr std::array<long, 2> kProbeCalls{335, 336};
/// tcb and self of tcbhead_t, its beginning (sysdeps/x86_64/nptl/tls.h).
constexpr ThreadBlockSigns kThreadBlockSigns{64, {0, 16}, 0, 0x200, 8};
/// Above all addresses of a process.
constexpr std::uint64_t kAddressEnd = 1ULL << 47;
/// Behind a system call its arguments are still in their registers.
constexpr bool kCallsKeepArguments = true;
constexpr const char* kLibraryDirectory = "/usr/lib/x86_64-linux-gnu";

#elif defined(__aarch64__)

constexpr std::uint32_t kAuditArchitecture = AUDIT_ARCH_AARCH64;
/// struct user_pt_regs, asm/ptrace.h; tpidr_el0 is a register set of its own (NT_ARM_TLS).
constexpr RegisterWords kRegisterWords{34, 32, 31, kNoWord};
constexpr Breakpoint kBreakpoint{0xd4200000, 0xffffffff, 0};  // brk #0
constexpr std::uint64_t kRedZoneBytes = 0;
constexpr std::array<long, 0> kProbeCalls{};
/// robust_prev and robust_head.list of a thread that holds no robust mutex (nptl/descr.h); dtv is
/// behind it (sysdeps/aarch64/nptl/tls.h).
constexpr ThreadBlockSigns kThreadBlockSigns{32, {0xd8, 0xe0}, 0xe0, 0xd0, kNoWord};
constexpr std::uint64_t kAddressEnd = 1ULL << 48;
constexpr bool kCallsKeepArguments = false;  // the result overwrites the first
constexpr const char* kLibraryDirectory = "/usr/lib/aarch64-linux-gnu";

#else
#error "asrtrace is built for x86-64 and arm64"
#endif

}  // namespace asrtrace
