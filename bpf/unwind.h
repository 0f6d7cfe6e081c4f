/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What user space lays out and the BPF walker reads: unwind rows, their index, a process's
 *mappings.
 *
 * All of it lives in one space of 64 KiB chunks: `unwind_banks` is an array of maps, each bank an
 * mmapable array of UNWIND_BANK_CHUNKS chunks, created as the targets need them. A position in the
 * space is counted in 8-byte cells (rows, mappings) or 4-byte words (index):
 *
 *	unwind_processes[tgid] -> chunk of struct unwind_space (sorted mappings)
 *	mapping -> index_word + ((pc - bias) >> 8)  -> first row << 8 | number of rows
 *	        -> rows_cell + first row            -> the row with the largest pc <= pc - bias
 *
 * The rows that one 256-byte page of text needs never cross a chunk: one map lookup, then plain
 *loads.
 */
#ifndef ASRTRACE_BPF_UNWIND_H
#define ASRTRACE_BPF_UNWIND_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define UNWIND_MAX_FRAMES 127
#define UNWIND_CHUNK_BYTES 65536
#define UNWIND_CHUNK_CELLS (UNWIND_CHUNK_BYTES / 8)
#define UNWIND_CHUNK_WORDS (UNWIND_CHUNK_BYTES / 4)
#define UNWIND_BANK_CHUNKS 32
#define UNWIND_BANKS 256
#define UNWIND_PAGE_SHIFT 8 /* text bytes an index word covers: 256 */
#define UNWIND_MAX_MAPPINGS 2048
#define UNWIND_NO_MAPPING 0x7fffffffffffffffULL /* begin of an unused slot: above any address */

/* How the canonical frame address (CFA) is found; low nibble of unwind_row.rule. */
enum unwind_cfa {
	UNWIND_CFA_NONE = 0,     /* no FDE covers this address */
	UNWIND_CFA_SP = 1,       /* sp + 8 * cfa_offset */
	UNWIND_CFA_FP = 2,       /* fp + 8 * cfa_offset */
	UNWIND_CFA_DEREF_FP = 3, /* *(fp + 8 * cfa_offset): realigned stacks */
	UNWIND_CFA_DEREF_SP = 4, /* *(sp + 8 * cfa_offset) + 8: OpenSSL's assembly */
	UNWIND_CFA_PLT = 5,      /* sp + 8, and 8 more from (ip & 15) >= cfa_offset on */
	UNWIND_CFA_SIGNAL = 6,   /* the registers are in the kernel's signal frame at sp */
	UNWIND_CFA_END = 7,      /* outermost frame: return address undefined */
	UNWIND_CFA_REGISTER = 8, /* x86-64: register cfa_offset >> 12, + 8 * (cfa_offset & 0xfff) */
	UNWIND_CFA_BAD = 9,      /* there is a rule, but none of these */
};

/*
 * Where the caller's frame pointer (and return address) are; high nibble of unwind_row.rule. On
 * x86-64 the return address is always at CFA - 8. On arm64 it is beside the frame pointer in a
 * frame record (slot + 8), else in x30; a row needs no third field for it.
 */
enum unwind_saved {
	UNWIND_SAVED_NONE = 0,    /* fp unchanged (arm64: return address in x30) */
	UNWIND_SAVED_CFA = 1,     /* fp at CFA + 8 * fp_offset */
	UNWIND_SAVED_FP = 2,      /* fp at fp + 8 * fp_offset */
	UNWIND_SAVED_SP = 3,      /* fp at sp + 8 * fp_offset */
	UNWIND_SAVED_LOST = 4,    /* fp cannot be recovered */
	UNWIND_SAVED_RA_ONLY = 5, /* arm64: return address at CFA + 8 * fp_offset, fp unchanged */
	UNWIND_SAVED_FP_ONLY = 6, /* arm64: fp at CFA + 8 * fp_offset, return address in x30 */
};

struct unwind_row {
	__u32 pc;  /* bytes from the table's first text byte; valid until the next row */
	__u8 rule; /* enum unwind_cfa | enum unwind_saved << 4 */
	__s8 fp_offset;
	__s16 cfa_offset;
};

enum unwind_mapping_kind {
	UNWIND_MAPPING_NO_TABLE = 0, /* a file without (usable) CFI: frame pointers */
	UNWIND_MAPPING_TABLE = 1,
	UNWIND_MAPPING_JIT = 2,     /* executable memory without an ELF file behind it */
	UNWIND_MAPPING_UPROBES = 3, /* the kernel's return-probe trampolines */
};

struct unwind_mapping {
	__u64 bias; /* pc - bias = offset into the table's text, without a table into the file */
	__u32 rows_cell;
	__u32 index_word;
	__u32 pages; /* length in 4 KiB pages */
	__u16 kind;
	__u16 module; /* the same in all processes that map this file; 0: unknown, no file */
};

/* One chunk: the executable mappings of an address space in ascending order. */
struct unwind_space {
	__u64 begin[UNWIND_MAX_MAPPINGS];
	struct unwind_mapping mapping[UNWIND_MAX_MAPPINGS];
};

/* Value of unwind_processes, by tgid. A forked child may share its parent's. */
struct unwind_process {
	__u32 space_chunk;
	__u32 generation;  /* another one whenever an address may have changed its meaning */
	__u64 table_begin; /* all mappings with tables lie in [table_begin, table_end) */
	__u64 table_end;
};

/* stack_record.flags; the first two are STACK_TRUNCATED and STACK_HEURISTIC of bpf/event.h */
#define UNWIND_TRUNCATED 0x1u       /* the root was not reached: see reason */
#define UNWIND_HEURISTIC 0x2u       /* at least one caller was guessed by scanning the stack */
#define UNWIND_FRAME_POINTER 0x4u   /* at least one caller came from the frame pointer chain */
#define UNWIND_UNKNOWN_MAPPING 0x8u /* code that is in no mapping known yet (fresh dlopen) */

/* unwind_state.input */
#define UNWIND_AT_ENTRY                                                           \
	0x1u /* ip is a function's first instruction: the return address is at sp \
	      */
#define UNWIND_KEEP_TRAIL 0x2u /* keep what the walk depends on: bpf/unwind_trail.bpf.h */

/* Why a stack is truncated (stack_record.reason). Append only: recorded. */
enum unwind_reason {
	UNWIND_COMPLETE = 0,
	UNWIND_NO_PROCESS = 1, /* no tables for this process */
	UNWIND_NO_ROW = 2,     /* no row, and neither frame pointer nor scan led on */
	UNWIND_BAD_READ = 3,   /* the user stack could not be read (paged out, corrupt) */
	UNWIND_BAD_RULE = 4,   /* a rule outside what rows express */
	UNWIND_TOO_DEEP = 5,   /* more than UNWIND_MAX_FRAMES */
	UNWIND_LOOP = 6,       /* the stack pointer did not move towards the root */
	UNWIND_TRAMPOLINE = 7, /* a return probe that is not in the caller's record */
	UNWIND_NO_SLOT = 8,    /* no free scratch slot: no walk took place */
	UNWIND_NOT_CODE = 9,   /* the next return address lies in no code */
	UNWIND_REASONS = 10,
};

#ifdef __cplusplus
#define UNWIND_ASSERT static_assert
#else
#define UNWIND_ASSERT _Static_assert
#endif
UNWIND_ASSERT(sizeof(struct unwind_row) == 8, "row ABI");
UNWIND_ASSERT(sizeof(struct unwind_mapping) == 24, "mapping ABI");
UNWIND_ASSERT(sizeof(struct unwind_space) == UNWIND_CHUNK_BYTES, "a space fills a chunk");
UNWIND_ASSERT(sizeof(struct unwind_process) == 24, "process ABI");
#undef UNWIND_ASSERT

#endif /* ASRTRACE_BPF_UNWIND_H */
