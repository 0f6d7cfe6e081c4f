// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every step of a census over heap images. heap_seeds writes heap_image_seeds: sound heaps of each
// glibc layout, and heaps with damaged headers, circles, sizes of all ones, swapped pages.
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
