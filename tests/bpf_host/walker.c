/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <string.h>

#include "bpf/recall.bpf.h"
#include "tests/bpf_host/walker.h"

int host_has_loop = 1;

static struct host_walk* current;
static struct unwind_state states[UNWIND_SLOTS];
static __u64 outcomes[UNWIND_REASONS];
static struct recalled_stack kept;
static __u32 bank_numbers[UNWIND_BANKS];

void* bpf_map_lookup_elem(void* map, const void* key) {
    __u32 index = *(const __u32*)key;

    if (map == &unwind_states) return index < UNWIND_SLOTS ? &states[index] : NULL;
    if (map == &unwind_outcomes) return index < UNWIND_REASONS ? &outcomes[index] : NULL;
    if (map == &unwind_processes) return (void*)current->process;
    if (map == &unwind_banks) {
        if (index >= UNWIND_BANKS) return NULL;
        bank_numbers[index] = index;
        return &bank_numbers[index];
    }
    /* an inner map: a pointer to its own number */
    return current->chunk(current->self, *(__u32*)map, index);
}

long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags) {
    (void)map, (void)key, (void)value, (void)flags;
    return -1;
}

long bpf_map_delete_elem(void* map, const void* key) {
    (void)map, (void)key;
    return -1;
}

long bpf_probe_read_user(void* to, __u32 bytes, const void* from) {
    if (!current->read_user(current->self, to, bytes, (__u64)from)) return 0;
    memset(to, 0, bytes); /* as the kernel does */
    return -14;
}

long bpf_probe_read_kernel(void* to, __u32 bytes, const void* from) {
    (void)from;
    memset(to, 0, bytes);
    return -14;
}

long bpf_loop(__u32 turns, long (*body)(__u32, void*), void* context, __u64 flags) {
    __u32 i;

    (void)flags;
    for (i = 0; i < turns; i++)
        if (body(i, context)) return i + 1;
    return turns;
}

__u64 bpf_get_current_task(void) {
    return 0;
}

struct task_struct* bpf_get_current_task_btf(void) {
    return NULL;
}

long bpf_task_pt_regs(struct task_struct* task) {
    (void)task;
    return 0;
}

void host_run(struct host_walk* walk) {
    struct unwind_state* state;

    current = walk;
    host_has_loop = !walk->without_loop;
    memset(&walk->stack, 0, sizeof(walk->stack));
    state = unwind_claim();
    if (!state) {
        walk->stack.reason = UNWIND_NO_SLOT;
        walk->stack.flags = UNWIND_TRUNCATED;
        return;
    }
    state->ip = walk->ip;
    state->sp = walk->sp;
    state->fp = walk->fp;
    memcpy(state->regs, walk->regs, sizeof(state->regs));
    state->input = walk->input;
    for (__u32 i = 0; i < walk->saved_count && i < UNWIND_SAVED_RETURNS; i++)
        unwind_add_saved_return(state, walk->saved[i].sp, walk->saved[i].address);
    if (walk->recall) {
        state->window_bytes = 0;
        walk->recalled = recall_stack(&kept, state) != 0;
        unwind_release(state);
        return;
    }
    if (walk->remember) state->input |= UNWIND_KEEP_TRAIL;
    unwind_user(state);
    walk->stack = state->out;
    walk->key = state->key;
    if (walk->remember) {
        memset(&kept, 0, sizeof(kept));
        remember_stack(&kept, state, walk->ip, 1);
        walk->remembered = kept.stack != 0;
    }
    unwind_release(state);
}
