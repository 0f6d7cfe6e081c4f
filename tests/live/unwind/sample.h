/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the sampler and its reader share through the BPF object's .bss. */
#ifndef ASRTRACE_TESTS_UNWIND_SAMPLE_H
#define ASRTRACE_TESTS_UNWIND_SAMPLE_H

#include "bpf/event.h"

#ifdef __cplusplus
using asrtrace::wire::stack_record;
#endif

enum sample_source {
    SAMPLE_TICK = 1,  /* CPU clock: any instruction */
    SAMPLE_FAULT = 2, /* user page fault */
};

struct unwind_sample {
    __u32 tid;
    __u32 source;
    __u64 ip;
    __u64 sp;
    __u64 fp;
    __u64 regs[16];
    struct stack_record stack;
};

#endif
