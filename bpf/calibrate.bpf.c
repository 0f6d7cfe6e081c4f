// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Programs that do nothing: what a hit costs with them is the trap itself. They run in a child of
 * the tracer's own (user/capture/calibration.h), never in the target.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("uprobe")
int calibrate_entry(struct pt_regs *ctx)
{
	return 0;
}

SEC("uretprobe")
int calibrate_return(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe")
int calibrate_session(struct pt_regs *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
