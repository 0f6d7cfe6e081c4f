// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/probes.h"

#ifdef ASR_WORKER_USDT
#include <sys/sdt.h>
#else
// Keeps the calls: a function without effects would be dropped with its caller's call.
#define DTRACE_PROBE2(provider, name, a, b) asm volatile("" : : "r"(a), "r"(b))
#define DTRACE_PROBE3(provider, name, a, b, c) asm volatile("" : : "r"(a), "r"(b), "r"(c))
#endif

namespace asr {

[[gnu::noinline]] void probe_request_start(std::uint64_t id, std::uint64_t bytes,
                                           std::uint64_t frames) {
    DTRACE_PROBE3(asr, request_start, id, bytes, frames);
}

[[gnu::noinline]] void probe_chunk_done(std::uint64_t id, std::uint64_t index) {
    DTRACE_PROBE2(asr, chunk_done, id, index);
}

[[gnu::noinline]] void probe_request_done(std::uint64_t id, std::uint64_t status) {
    DTRACE_PROBE2(asr, request_done, id, status);
}

}  // namespace asr
