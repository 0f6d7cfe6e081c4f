/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "plant_library/asr_plant.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* Not exported, so that stripping leaves no name for the function that calls malloc. */
__attribute__((noinline)) static void* take_block(size_t bytes) {
    void* block = malloc(bytes);
    if (block != NULL) memset(block, 0x5a, bytes);
    __asm__ volatile("" : : "r"(block) : "memory");
    return block;
}

size_t asr_plant_library_request(size_t bytes) {
    void* block = take_block(bytes);
    return block == NULL ? 0 : malloc_usable_size(block) + sizeof(size_t);
}
