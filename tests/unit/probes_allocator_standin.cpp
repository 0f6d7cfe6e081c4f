// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Symbols of allocators without the allocators.
extern "C" {
extern int probes_standin_sink;
int probes_standin_sink = 0;

#define STANDIN(name)          \
    void* name();              \
    void* name() {             \
        ++probes_standin_sink; \
        return nullptr;        \
    }

#ifdef STANDIN_PRIVATE
STANDIN(je_malloc)
STANDIN(je_free)
#else
STANDIN(malloc)
STANDIN(free)
STANDIN(calloc)
#endif
#ifdef STANDIN_JEMALLOC
STANDIN(mallctl)
#endif
#ifdef STANDIN_TCMALLOC
STANDIN(tc_malloc)
#endif
#ifdef STANDIN_MIMALLOC
STANDIN(mi_malloc)
#endif
#ifdef STANDIN_MUSL
STANDIN(__libc_start_main)
STANDIN(realloc)
#endif
}
