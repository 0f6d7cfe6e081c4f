// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes the seed corpus of heap_image_fuzz: one image a layout.
//   heap_seeds DIRECTORY
#include <fstream>
#include <string>

#include "tests/unit/heap_image_builder.h"

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    int number = 0;
    for (const asrtrace::heap::Layout& layout : asrtrace::heap::layouts()) {
        asrtrace::heap::BuiltHeap built;
        asrtrace::heap::build_heap(layout, built);
        const auto bytes = built.image.serialize();
        std::ofstream file(std::string(argv[1]) + "/layout" + std::to_string(number++),
                           std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
    }
    return 0;
}
