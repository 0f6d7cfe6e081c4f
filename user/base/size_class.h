// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Size classes of glibc's chunks: what the census counts by and blocks are compared by.
#pragma once

#include <algorithm>
#include <cstdint>

namespace asrtrace {

/// The class of a chunk: by 16 up to 1 KiB, then eight a doubling. Returns its largest size.
inline std::uint64_t size_class(std::uint64_t chunk_bytes) {
    if (chunk_bytes <= 1024) return (chunk_bytes + 15) & ~15ULL;
    unsigned shift = 7;  // 1024 / 8
    while ((chunk_bytes - 1) >> (shift + 3) > 1) ++shift;
    const std::uint64_t step = 1ULL << shift;
    return (chunk_bytes + step - 1) & ~(step - 1);
}

/// The chunk that malloc cuts for a request of so many bytes (request2size, malloc/malloc.c).
inline std::uint64_t chunk_size(std::uint64_t asked_bytes) {
    return std::max<std::uint64_t>(32, (asked_bytes + 8 + 15) & ~15ULL);
}

}  // namespace asrtrace
