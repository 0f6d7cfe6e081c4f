// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// USDT probes with every form of operand that compilers write. The values are known to
// probes_usdt_run_test.cpp.
#define _SDT_HAS_SEMAPHORES 1  // NOLINT(bugprone-reserved-identifier): sdt.h asks for it
#include <sys/sdt.h>

// sdt.h looks for PROVIDER_NAME_semaphore.
extern "C" {
#define SEMAPHORE(name) \
    __attribute__((section(".probes"), used)) volatile unsigned short probes_##name##_semaphore
SEMAPHORE(plain);
SEMAPHORE(sizes);
SEMAPHORE(gated);
SEMAPHORE(many);
SEMAPHORE(none);
int probes_counter = 0;
long probes_table[4] = {10, 20, 30, 40};
}

// A note of sdt.h's layout with operands of our choice.
#define FORCED(name, operands)                                                  \
    "990: nop\n.pushsection .note.stapsdt,\"\",\"note\"\n.balign 4\n"           \
    ".4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n" \
    "993: .8byte 990b, _.stapsdt.base, 0\n.asciz \"probes\"\n.asciz \"" name    \
    "\"\n"                                                                      \
    ".asciz \"" operands "\"\n994: .balign 4\n.popsection\n"

namespace {

struct Record {
    signed char byte;
    unsigned short word;
    int number;
    long wide;
};

__attribute__((noinline)) void compiled(long id, int count, Record* record) {
    STAP_PROBE3(probes, plain, id, count, 77);
    STAP_PROBE4(probes, sizes, record->byte, record->word, record->number, record->wide);
    if (probes_gated_semaphore != 0) STAP_PROBE2(probes, gated, -5, id + count);
    STAP_PROBE8(probes, many, id, id + 1, id + 2, id + 3, id + 4, id + 5, id + 6, id + 7);
    STAP_PROBE(probes, none);
}

__attribute__((noinline)) void forced(long index) {
    const long* table = probes_table;
    asm volatile(FORCED("memory", "8@(%%rax) 8@8(%%rax) 8@8(%%rax,%%rbx,8) -8@-8(%%rax,%%rbx,8)")
                 :
                 : "a"(table), "b"(index)
                 : "memory");
    asm volatile(FORCED("parts", "1@%%cl 1@%%ch -1@%%ch 2@%%cx 4@%%ecx -4@%%ecx 8@%%rcx")
                 :
                 : "c"(0x1234567892f4UL));
    asm volatile(FORCED("constants", "8@$5 -4@$-5 8@$0x10 4@$-1 8@$-9223372036854775808") :);
    asm volatile(FORCED("symbols",
                        "4@probes_counter(%%rip) -8@probes_table+16(%%rip) "
                        "8@8+probes_table(%%rip)")
                 :
                 :
                 : "memory");
    asm volatile(FORCED("vectors", "8@%%xmm0 4@%%fs:8 8f@%%xmm1 8@%%rdi") : : "D"(9L));
#ifndef __PIE__
    asm volatile(FORCED("absolute",
                        "4@probes_counter 8@probes_table+8 8@$probes_table "
                        "8@probes_table(,%%rbx,8)")
                 :
                 : "b"(index)
                 : "memory");
#endif
}

}  // namespace

int main() {
    Record record{-3, 65000, -70000, 1L << 40};
    probes_counter = 1234;
    Record* volatile hidden = &record;
    compiled(1L << 33, -9, hidden);
    forced(2);
    return 0;
}
