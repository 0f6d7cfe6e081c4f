// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes the seeds of heap_image_fuzz: a sound image a layout, and one image for each way in which
// a heap can lie.
//   heap_seeds DIRECTORY
#include <fstream>
#include <functional>
#include <string>

#include "tests/unit/heap_image_builder.h"

namespace {

using asrtrace::heap::BuiltHeap;

struct Damage {
    const char* name;
    std::function<void(BuiltHeap&)> inflict;
};

std::vector<Damage> damages() {
    return {
        {"sizes_of_ones",
         [](BuiltHeap& heap) {
             for (std::uint64_t chunk : heap.chunks) heap.image.put(chunk + 8, ~0ULL);
         }},
        {"size_of_ones", [](BuiltHeap& heap) { heap.image.put(heap.chunks[4] + 8, ~0ULL); }},
        {"size_of_zero", [](BuiltHeap& heap) { heap.image.put(heap.chunks[3] + 8, 0); }},
        {"size_past_the_end",
         [](BuiltHeap& heap) { heap.image.put(heap.chunks[2] + 8, 0x7000000001); }},
        {"prev_size", [](BuiltHeap& heap) { heap.image.put(heap.free_chunk + 0x6000, 0x20); }},
        {"bin_in_a_circle",
         [](BuiltHeap& heap) { heap.image.put(heap.free_chunk + 16, heap.free_chunk); }},
        {"bin_astray",
         [](BuiltHeap& heap) { heap.image.put(heap.free_chunk + 16, 0x4141414141414141); }},
        {"fastbin_in_a_circle",
         [](BuiltHeap& heap) {
             const auto head = heap.image.read_value<std::uint64_t>(heap.main_arena + 24);
             heap.image.put(*head + 16, *head ^ (*head + 16) >> 12);
         }},
        {"tcache_in_a_circle",
         [](BuiltHeap& heap) {
             const std::uint64_t entry = heap.chunks[4] + 16;
             heap.image.put(entry, entry ^ entry >> 12);
         }},
        {"heaps_in_a_circle",
         [](BuiltHeap& heap) { heap.image.put(heap.heap_info + 8, heap.heap_info); }},
        {"heap_too_large",
         [](BuiltHeap& heap) { heap.image.put(heap.heap_info + 16, 1ULL << 40); }},
        {"swapped_page",
         [](BuiltHeap& heap) {
             heap.image.touch(heap.chunks[6] & ~0xfffULL, asrtrace::heap::PageKind::kSwapped);
         }},
        {"missing_page", [](BuiltHeap& heap) { heap.image.forget(heap.chunks[6]); }},
        {"pointers_everywhere",
         [](BuiltHeap& heap) {
             for (std::uint64_t at = 0; at < 0x100; at += 8) {
                 heap.image.put(heap.chunks[1] + 0x20 + at, heap.leaked_address + at);
             }
         }},
    };
}

void write_image(const BuiltHeap& heap, const std::string& path) {
    const auto bytes = heap.image.serialize();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string directory = argv[1];
    const auto all = asrtrace::heap::layouts();
    for (std::size_t i = 0; i < all.size(); ++i) {
        BuiltHeap heap;
        build_heap(all[i], heap);
        write_image(heap, directory + "/layout" + std::to_string(i));
    }
    for (const Damage& damage : damages()) {
        BuiltHeap heap;
        build_heap(all[2], heap);
        damage.inflict(heap);
        write_image(heap, directory + "/" + damage.name);
    }
    return 0;
}
