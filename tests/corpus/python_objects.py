# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A service in Python that keeps small objects: they live in arenas that Python maps by itself.

python_objects.py BOUNDARY_LIBRARY SEED REQUESTS PACE_US; speaks tests/progs/handshake.h."""

import ctypes
import json
import random
import sys
import time

HEADER_BYTES = sys.getsizeof(b"")
LARGEST_SMALL_BYTES = 512  # what Python's own allocator takes
GRANULE_BYTES = 16
FRAMES = 16000


def say(word, **values):
    print(word, json.dumps(values), flush=True)


def wait_for(word):
    for line in sys.stdin:
        if line.strip() == word:
            return
    sys.exit(3)


def main(library, seed, requests, pace_us):
    draw = random.Random(seed)
    boundary = ctypes.CDLL(library)
    bytes_each = draw.randrange(200, LARGEST_SMALL_BYTES - HEADER_BYTES)
    objects_each = draw.randrange(100, 300)
    block_bytes = -(-(HEADER_BYTES + bytes_each) // GRANULE_BYTES) * GRANULE_BYTES
    kept = [None] * (requests * objects_each)  # made now: the list itself is malloc's
    say("ready")
    wait_for("go")
    for request in range(requests):
        boundary.corpus_request_begins(ctypes.c_ulong(request + 1), ctypes.c_ulong(2 * FRAMES),
                                       ctypes.c_ulong(FRAMES))
        first = request * objects_each
        for i in range(first, first + objects_each):
            kept[i] = bytes(bytes_each)
        boundary.corpus_request_ends(ctypes.c_ulong(request + 1), ctypes.c_ulong(200))
        time.sleep(draw.uniform(0.5, 1.5) * pace_us / 1e6)
    total = requests * objects_each
    say("done", requests=requests,
        growths={"0": {"kind": "mapped", "subkind": "", "site": "", "blocks": total,
                       "bytes": total * (HEADER_BYTES + bytes_each),
                       "chunk_bytes": total * block_bytes}},
        leaked_blocks=0, leaked_chunk_bytes=0, live_blocks=0)
    wait_for("quit")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]))
