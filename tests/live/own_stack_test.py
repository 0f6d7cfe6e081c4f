# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Programs of uprobes stay on the stack of the thread that hits the probe (bpf/own_stack.bpf.h). The
kernel's compiled code tells: a program with a stack of its own a CPU finds that by adding the CPU's
offset to r9 (emit_priv_frame_ptr, arch/x86/net/bpf_jit_comp.c)."""

import ctypes
import json
import os
import struct
import subprocess

import harness

NR_BPF = 321
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 13, 15
# struct bpf_prog_info: where jited_prog_len and jited_prog_insns stand.
INFO_BYTES, LENGTH_AT, CODE_AT = 256, 16, 24
ADD_CPU_OFFSET_TO_R9 = b"\x65\x4c\x03\x0c\x25"
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 144)
    result = LIBC.syscall(NR_BPF, command, buffer, len(buffer))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def compiled(program_id):
    """The machine code of a loaded program, its functions one behind the other."""
    descriptor = bpf(PROG_GET_FD_BY_ID, struct.pack("=I", program_id))
    try:
        info = ctypes.create_string_buffer(INFO_BYTES)
        ask = struct.pack("=IIQ", descriptor, INFO_BYTES, ctypes.addressof(info))
        bpf(OBJ_GET_INFO_BY_FD, ask)
        length, = struct.unpack_from("=I", info, LENGTH_AT)
        code = ctypes.create_string_buffer(length)
        ctypes.memset(info, 0, INFO_BYTES)
        struct.pack_into("=I", info, LENGTH_AT, length)
        struct.pack_into("=Q", info, CODE_AT, ctypes.addressof(code))
        bpf(OBJ_GET_INFO_BY_FD, ask)
        return code.raw
    finally:
        os.close(descriptor)


class OwnStack(harness.LiveTest):

    def programs(self, *arguments, tier="full"):
        """{type: {name: has a stack a CPU}} of a tracer's programs."""
        program = self.start("idle")
        tracer = self.attach(program.pid, *arguments, tier=tier).wait_attached()
        shown = subprocess.run([harness.BPFTOOL, "-j", "prog", "show"], check=True,
                               stdout=subprocess.PIPE, timeout=30).stdout
        mine = harness.kernel_objects(tracer.pid)["prog"]
        found = {}
        for entry in json.loads(shown):
            if entry["id"] in mine:
                found.setdefault(entry["type"], {})[entry["name"]] = \
                    ADD_CPU_OFFSET_TO_R9 in compiled(entry["id"])
        self.assertEqual(tracer.stop(), 0, tracer.stderr)
        return found

    def test_programs_of_uprobes(self):
        for tier, *arguments in (("full", "--request", "http"), ("sites", ),
                                 ("full", "--probe-method", "perf")):
            with self.subTest(tier=tier, arguments=arguments):
                found = self.programs(*arguments, tier=tier)
                harness.note(f"  {found}")
                self.assertGreater(len(found["kprobe"]), 3)
                self.assertEqual([name for name, apart in found["kprobe"].items() if apart], [])

    def test_the_search_finds_such_a_stack(self):
        """Tracepoints have a check of recursion, so theirs may stand on it, and do from 6.13 on."""
        found = self.programs("--mappings-by-calls")["tracepoint"]
        if "session" in harness.probe_methods("session"):
            self.assertIn(True, found.values(), "or the test above shows nothing")


if __name__ == "__main__":
    harness.main()
