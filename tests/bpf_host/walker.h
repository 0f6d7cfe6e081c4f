/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The BPF walker, compiled for the host. The caller supplies what the kernel would: the target's
 * memory, the chunks of the unwind space, the process's record.
 */
#ifndef ASRTRACE_TESTS_BPF_HOST_WALKER_H
#define ASRTRACE_TESTS_BPF_HOST_WALKER_H

#include "bpf/event.h"
#include "bpf/unwind.h"

#ifdef __cplusplus
using asrtrace::wire::stack_record;
extern "C" {
#endif

struct host_return {
    __u64 sp;
    __u64 address;
};

struct host_walk {
    /* in */
    __u64 ip, sp, fp;
    __u64 regs[16]; /* by DWARF number; 0: unknown */
    __u32 input;
    __u32 saved_count;
    struct host_return saved[4];
    /* the world; `self` is handed back */
    void* self;
    int (*read_user)(void* self, void* to, __u32 bytes, __u64 address); /* 0: done */
    void* (*chunk)(void* self, __u32 bank, __u32 slot);                 /* null: none */
    const struct unwind_process* process;                               /* null: not traced */
    int without_loop; /* as on kernels before bpf_loop */
    int remember;     /* keep what is walked; what was kept before is forgotten */
    int recall;       /* do not walk: look whether what was kept holds */
    /* out */
    struct stack_record stack;
    __u64 key;      /* of the stack */
    int remembered; /* it could be kept */
    int recalled;   /* it holds */
};

/* Not reentrant. */
void host_run(struct host_walk* walk);

#ifdef __cplusplus
}
#endif

#endif
