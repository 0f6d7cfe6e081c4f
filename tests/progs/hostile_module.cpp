// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What `hostile` damages and maps: a library with symbols, unwind tables and USDT notes, and code
// on a page of its own that needs none of them and calls what it is told to.
#include <sys/sdt.h>

#ifdef __x86_64__
#define CALL_THE_ARGUMENT        \
    "sub $8, %rsp\n"             \
    ".cfi_adjust_cfa_offset 8\n" \
    "call *%rdi\n"               \
    "add $8, %rsp\n"             \
    ".cfi_adjust_cfa_offset -8\n"
#else
#define CALL_THE_ARGUMENT         \
    "stp x29, x30, [sp, #-16]!\n" \
    ".cfi_adjust_cfa_offset 16\n" \
    ".cfi_rel_offset x29, 0\n"    \
    ".cfi_rel_offset x30, 8\n"    \
    "blr x0\n"                    \
    "ldp x29, x30, [sp], #16\n"   \
    ".cfi_restore x29\n"          \
    ".cfi_restore x30\n"          \
    ".cfi_adjust_cfa_offset -16\n"
#endif

asm(".pushsection .text.hostile, \"ax\", %progbits\n"
    ".p2align 12\n"
    ".ascii \"HOSTILE!CODE....\"\n"
    ".globl hostile_through\n"
    ".type hostile_through, %function\n"
    "hostile_through:\n"
    ".cfi_startproc\n" CALL_THE_ARGUMENT
    "ret\n"
    ".cfi_endproc\n"
    ".size hostile_through, . - hostile_through\n"
    ".p2align 12\n"
    ".popsection\n");

extern "C" __attribute__((visibility("default"))) void hostile_request(long id, long bytes) {
    DTRACE_PROBE2(asr, request_start, id, bytes);
    DTRACE_PROBE2(asr, request_done, id, bytes);
}
