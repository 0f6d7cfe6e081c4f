// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Where requests begin and end; also a library of its own, for Python.
#include <sys/sdt.h>

#include "tests/corpus/sites.h"

extern "C" {

[[gnu::noinline]] void corpus_request_begins(std::uint64_t id, std::uint64_t bytes,
                                             std::uint64_t frames) {
    DTRACE_PROBE3(asr, request_start, id, bytes, frames);
}

[[gnu::noinline]] void corpus_request_ends(std::uint64_t id, std::uint64_t status) {
    DTRACE_PROBE2(asr, request_done, id, status);
}

}  // extern "C"
