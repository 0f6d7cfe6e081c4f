// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every step of a census over recorded heap images: seeds in corpus/heap_image_fuzz are heaps of
// each glibc layout.
#include <cstddef>
#include <cstdint>

#include "tests/unit/heap_image_census.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto image = asrtrace::heap::ImageMemory::parse({data, size});
    if (!image) return 0;
    for (bool still : {true, false}) {
        (void)asrtrace::heap::image_census(**image, still, std::chrono::milliseconds(500));
    }
    return 0;
}
