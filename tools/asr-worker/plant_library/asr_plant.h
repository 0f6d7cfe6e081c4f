/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The only symbol that is left of libasr-plant.so: it is built for the plant `library` and
 * stripped, as the libraries of others that a service loads.
 */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Leaks a block of `bytes` bytes, all of them touched; the bytes of its chunk, 0: out of memory. */
__attribute__((visibility("default"))) size_t asr_plant_library_request(size_t bytes);

#ifdef __cplusplus
}
#endif
