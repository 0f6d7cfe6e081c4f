// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/heap_image_builder.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kLibc = 0x7f0000000000;
constexpr std::uint64_t kBrk = 0x555500000000;
constexpr std::uint64_t kHeap = 0x7f1004000000;
constexpr std::uint64_t kMapped = 0x7f2000000000;
constexpr std::uint64_t kStack = 0x7ffd00000000;
constexpr std::uint64_t kBrkPages = 33, kHeapPages = 33;
constexpr std::uint64_t kKey = 0x8a5b3c1d2e4f6071;

constexpr const char* kMaps =
    "555500000000-555500021000 rw-p 00000000 00:00 0 [heap]\n"
    "7efffffff000-7f0000000000 r-xp 00000000 fe:01 77 /lib/libc.so.6\n"
    "7f0000000000-7f0000003000 rw-p 00001000 fe:01 77 /lib/libc.so.6\n"
    "7f1004000000-7f1004021000 rw-p 00000000 00:00 0\n"
    "7f1004021000-7f1008000000 ---p 00000000 00:00 0\n"
    "7f2000000000-7f2000064000 rw-p 00000000 00:00 0\n"
    "7ffd00000000-7ffd00002000 rw-p 00000000 00:00 0 [stack]\n";

class Builder {
  public:
    Builder(const Layout& layout, BuiltHeap& out) : layout_(layout), out_(out), image_(out.image) {}

    void run() {
        image_.set_maps(kMaps);
        for (std::uint64_t page = 0; page < 3; ++page) image_.touch(kLibc + page * 4096);
        for (std::uint64_t page = 0; page < kBrkPages; ++page) image_.touch(kBrk + page * 4096);
        for (std::uint64_t page = 0; page < kHeapPages; ++page) image_.touch(kHeap + page * 4096);
        image_.touch(kStack);
        image_.touch(kStack + 4096);
        out_.main_arena = kLibc + 0x100;
        second_ = kHeap + layout_.heap_info_size;
        state(out_.main_arena, second_, 0, kBrkPages * 4096);
        state(second_, out_.main_arena, kNonContiguous, kHeapPages * 4096);
        main_chunks();
        second_chunks();
        mapped();
        parameters();
        out_.system = (kBrkPages + kHeapPages) * 4096;
    }

  private:
    std::uint64_t bin_head(std::uint64_t arena, std::uint32_t bin) const {
        return arena + layout_.bins + 16ULL * (bin - 1) - 16;
    }

    void state(std::uint64_t at, std::uint64_t next, std::uint32_t flags, std::uint64_t system) {
        image_.put(at, std::uint64_t{flags} << 32);
        for (std::uint32_t bin = 1; bin <= kBins; ++bin) {
            const std::uint64_t head = bin_head(at, bin);
            image_.put(head + 16, head);
            image_.put(head + 24, head);
        }
        const std::uint64_t bins = at + layout_.bins;
        image_.put(bins + kNextBehindBins, next);
        image_.put(bins + kSystemMemBehindBins, system);
        image_.put(bins + kSystemMemBehindBins + 8, system);
    }

    /// A chunk in use at the cursor; returns its address.
    std::uint64_t chunk(std::uint64_t bytes, std::uint64_t flags = 0) {
        const std::uint64_t at = cursor_;
        image_.put(at + 8, bytes | flags | (previous_free_ ? 0 : kPrevInUse));
        if (flags == 0) out_.chunks.push_back(at);
        previous_free_ = false;
        cursor_ += bytes;
        return at;
    }

    /// A free chunk in the bin of its size, or the unsorted one.
    std::uint64_t free_chunk(std::uint64_t arena, std::uint64_t bytes, std::uint32_t bin) {
        const std::uint64_t at = chunk(bytes);
        const std::uint64_t head = bin_head(arena, bin);
        image_.put(head + 16, at);
        image_.put(head + 24, at);
        image_.put(at + 16, head);
        image_.put(at + 24, head);
        image_.put(cursor_, bytes);  // prev_size of what follows
        previous_free_ = true;
        out_.in_bins += bytes;
        return at;
    }

    void end_with_top(std::uint64_t arena, std::uint64_t end) {
        image_.put(cursor_ + 8, (end - cursor_) | kPrevInUse);
        image_.put(arena + layout_.top, cursor_);
        out_.top += end - cursor_;
    }

    std::uint64_t protect(std::uint64_t where, std::uint64_t link) const {
        return layout_.protected_links ? link ^ (where >> 12) : link;
    }

    void main_chunks() {
        cursor_ = out_.main_first = kBrk;
        const std::uint64_t tcache = chunk(layout_.tcache_chunk()) + 16;
        const std::uint64_t kept = chunk(0x150);
        image_.put(kLibc + 0x2f00, kept + 16);  // a global variable
        const std::uint64_t child = chunk(0x400);
        image_.put(kept + 0x40, child + 0x18);  // an inner pointer
        const std::uint64_t a = chunk(0x40), b = chunk(0x40);
        set_tcache(tcache, 2, {b + 16, a + 16});
        out_.free_chunk = free_chunk(out_.main_arena, 0x6000, 1);
        out_.leaked_address = chunk(0x230) + 16;
        out_.leaked_bytes = 0x230;
        free_chunk(out_.main_arena, 0x1400, bin_index(0x1400));
        const std::uint64_t on_stack = chunk(0x90);
        image_.put(kStack + 0x1800, on_stack + 16);
        if (layout_.has_fastbins) {
            const std::uint64_t first = chunk(0x30), second = chunk(0x30);
            image_.put(out_.main_arena + 16 + 8, second);
            image_.put(second + 16, protect(second + 16, first));
            image_.put(first + 16, protect(first + 16, 0));
            out_.fastbin = 0x60;
        }
        image_.put(kLibc + 0x2f08, chunk(0x110) + 16);
        end_with_top(out_.main_arena, kBrk + kBrkPages * 4096);
    }

    void set_tcache(std::uint64_t at, std::uint32_t bin,
                    const std::vector<std::uint64_t>& entries) {
        const std::uint16_t full = layout_.tcache_counts_down ? 16 : 0;
        for (std::uint32_t i = 0; i < layout_.tcache_bins; ++i) {
            const auto held = static_cast<std::uint16_t>(i == bin ? entries.size() : 0);
            const auto count = static_cast<std::uint16_t>(full == 0 ? held : full - held);
            image_.write(at + 2ULL * i, {reinterpret_cast<const std::uint8_t*>(&count), 2});
        }
        image_.put(at + 2ULL * layout_.tcache_bins + 8ULL * bin, entries[0]);
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const std::uint64_t next = i + 1 < entries.size() ? entries[i + 1] : 0;
            image_.put(entries[i], protect(entries[i], next));
            image_.put(entries[i] + 8, layout_.protected_links ? kKey : at);
            out_.tcache += 0x20 + 16ULL * bin;
        }
    }

    void second_chunks() {
        out_.heap_info = kHeap;
        image_.put(kHeap, second_);
        image_.put(kHeap + 16, kHeapPages * 4096);
        image_.put(kHeap + 24, kHeapPages * 4096);
        cursor_ = (second_ + layout_.state_size() + 15) & ~15ULL;
        previous_free_ = false;
        image_.put(kLibc + 0x2f10, chunk(0x2000, kNonMainArena) + 16);
        free_chunk(second_, 0x3000, 1);
        image_.put(kLibc + 0x2f18, chunk(0x120, kNonMainArena) + 16);
        end_with_top(second_, kHeap + kHeapPages * 4096);
    }

    void mapped() {
        const std::uint64_t tail = layout_.has_fastbins ? 0 : kChunkHeader;
        add_mapped(kMapped, 0, 0x3000, tail);
        // posix_memalign(64): the header stands 0x30 into the mapping, the first one is left behind
        image_.touch(kMapped + 0x10000);
        image_.put(kMapped + 0x10000 + 8, (0x5000 - tail) | kIsMmapped);
        add_mapped(kMapped + 0x10000, 0x30, 0x5000, tail);
        image_.put(kLibc + 0x2f20, kMapped + 16);
        image_.put(kLibc + 0x2f28, kMapped + 0x10000 + 0x40);
    }

    void add_mapped(std::uint64_t base, std::uint64_t offset, std::uint64_t total,
                    std::uint64_t tail) {
        image_.touch(base);
        image_.put(base + offset, offset);
        image_.put(base + offset + 8, (total - offset - tail) | kIsMmapped);
        out_.mapped_bytes += total;
        ++out_.mapped_chunks;
    }

    void parameters() {
        const std::uint64_t at = out_.parameters = kLibc + 0x1800;
        image_.put(at, 128 << 10);
        image_.put(at + 8, 128 << 10);
        image_.put(at + 16, 128 << 10);
        image_.put(at + 24, 8);
        const auto half = [&](std::uint64_t offset, std::uint32_t value) {
            image_.write(at + offset, {reinterpret_cast<const std::uint8_t*>(&value), 4});
        };
        half(layout_.n_mmaps, 2);
        half(layout_.n_mmaps + 4, 65536);
        half(layout_.n_mmaps + 8, 2);
        half(layout_.n_mmaps + 12, 0);
        image_.put(at + layout_.mmapped_mem, out_.mapped_bytes);
        image_.put(at + layout_.mmapped_mem + 8, out_.mapped_bytes);
        image_.put(at + layout_.sbrk_base, kBrk);
        image_.put(at + layout_.sbrk_base + 8, 64);
        image_.put(at + layout_.sbrk_base + 16, layout_.tcache_bins == 64 ? 1032 : 1041);
        image_.put(at + layout_.sbrk_base + 24, layout_.tcache_bins == 64 ? 7 : 16);
    }

    const Layout& layout_;
    BuiltHeap& out_;
    ImageMemory& image_;
    std::uint64_t second_ = 0, cursor_ = 0;
    bool previous_free_ = false;
};

}  // namespace

void build_heap(const Layout& layout, BuiltHeap& out) {
    Builder(layout, out).run();
}

}  // namespace asrtrace::heap
