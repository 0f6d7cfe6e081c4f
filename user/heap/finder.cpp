// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/finder.h"

#include <algorithm>
#include <set>

#include "user/base/architecture.h"
#include "user/base/bytes.h"
#include "user/heap/libraries.h"

namespace asrtrace::heap {
namespace {

constexpr std::size_t kMaxArenas = 65536;
constexpr std::uint64_t kMaxDataBytes = 256ULL << 20;  // a writable segment that is searched

/// A writable piece of the module, copied.
struct DataSegment {
    std::uint64_t address = 0;
    std::vector<std::uint8_t> bytes;

    std::uint64_t word(std::size_t offset) const {
        return read_at<std::uint64_t>(bytes, offset).value_or(0);
    }
};

/// The module's writable mappings and the anonymous ones that follow directly (.bss).
std::vector<DataSegment> read_data(TargetMemory& memory, const std::vector<MapsEntry>& maps,
                                   const std::string& path) {
    std::vector<DataSegment> segments;
    std::uint64_t end_of_last = 0;
    for (const MapsEntry& entry : maps) {
        const bool own = entry.path == path;
        const bool bss = !entry.is_file() && entry.path.empty() && entry.begin == end_of_last;
        if (!own && !bss) continue;
        end_of_last = own ? entry.end : 0;
        if (!entry.writable || !entry.readable || entry.size_bytes() > kMaxDataBytes) continue;
        DataSegment segment{entry.begin, std::vector<std::uint8_t>(entry.size_bytes())};
        auto ranges = memory.pages(entry.begin, entry.end, false);
        if (!ranges) continue;
        // Pages that the target never touched hold the file's bytes: no arena that is in use.
        for (const PageRange& range : *ranges) {
            if (range.kind == PageKind::kSwapped || range.kind == PageKind::kZero) continue;
            if (range.begin < entry.begin || range.end > entry.end || range.end < range.begin)
                continue;
            memory.read(range.begin,
                        std::span(segment.bytes)
                            .subspan(range.begin - entry.begin, range.end - range.begin));
        }
        segments.push_back(std::move(segment));
    }
    return segments;
}

/// 127 list heads at `offset`, each pointing at itself or at chunks.
bool looks_like_bins(const DataSegment& segment, std::size_t offset) {
    const auto head = [&](std::uint32_t i) { return segment.address + offset + 16ULL * i - 16; };
    const std::uint32_t last = kBins - 1;  // bin 127 exists and is never filled: a cheap first test
    if (segment.word(offset + 16ULL * last) != head(last)) return false;
    if (segment.word(offset + 16ULL * last + 8) != head(last)) return false;
    for (std::uint32_t i = 0; i < kBins; ++i) {
        const std::uint64_t fd = segment.word(offset + 16ULL * i);
        const std::uint64_t bk = segment.word(offset + 16ULL * i + 8);
        if (fd == 0 || bk == 0 || fd % 8 != 0 || bk % 8 != 0) return false;
        if ((fd == head(i)) != (bk == head(i))) return false;
    }
    return true;
}

/// Follows `next` from the bins of main_arena; true if it comes back to `main_arena`.
bool ring_closes(TargetMemory& memory, std::uint64_t bins, std::uint64_t main_arena,
                 const Layout& layout) {
    std::set<std::uint64_t> seen{main_arena};
    auto next = memory.read_value<std::uint64_t>(bins + kNextBehindBins);
    while (next && *next != main_arena) {
        if (*next == 0 || *next % 8 != 0 || seen.size() > kMaxArenas) return false;
        if (!seen.insert(*next).second) return false;
        if (memory.is_swapped(*next)) return true;  // not to be followed without a change
        if (*next % kHeapMax != layout.heap_info_size &&
            *next % (2ULL << 20) != layout.heap_info_size) {
            return false;
        }
        next = memory.read_value<std::uint64_t>(*next + layout.bins + kNextBehindBins);
    }
    return next.has_value();
}

/// Does mp_ stand at `offset`? Source of the conditions: malloc.c, mp_ and sysmalloc.
bool looks_like_parameters(const DataSegment& segment, std::size_t offset, const Layout& layout,
                           const ArenaState& main, std::uint64_t main_end) {
    const auto half = [&](std::size_t at) {
        return read_at<std::int32_t>(segment.bytes, offset + at).value_or(-1);
    };
    const std::uint64_t base = segment.word(offset + layout.sbrk_base);
    if ((main.system_mem == 0) != (base == 0) || base >= kAddressEnd) return false;
    const bool end_known = main.contiguous && main.system_mem != 0 && main_end != 0;
    if (end_known && base + main.system_mem != main_end) return false;
    if (base % 8 != 0) return false;
    const std::int32_t count = half(layout.n_mmaps);
    const std::int32_t limit = half(layout.n_mmaps + 4);
    const std::int32_t peak = half(layout.n_mmaps + 8);
    const std::int32_t fixed = half(layout.n_mmaps + 12);
    const std::uint64_t mapped = segment.word(offset + layout.mmapped_mem);
    const std::uint64_t mapped_peak = segment.word(offset + layout.mmapped_mem + 8);
    if (count < 0 || limit < 0 || peak < count || (fixed != 0 && fixed != 1)) return false;
    if (mapped > mapped_peak || mapped % 4096 != 0 || (count == 0) != (mapped == 0)) return false;
    if (limit == 0 && count == 0 && main.system_mem == 0) return false;
    // top_pad, mmap_threshold and trim_threshold are sizes, not pointers.
    const std::uint64_t top_pad = segment.word(offset + 8);
    const std::uint64_t threshold = segment.word(offset + 16);
    if (top_pad > 1ULL << 40 || threshold == 0 || threshold > 1ULL << 40) return false;
    if (segment.word(offset + 24) > 1 << 20 || segment.word(offset + 32) > 1 << 20) return false;
    const std::uint64_t bins = segment.word(offset + layout.sbrk_base + 8);
    const std::uint64_t cached = segment.word(offset + layout.sbrk_base + 16);
    return bins <= layout.tcache_bins && cached <= 5 << 20 && (bins == 0) == (cached == 0);
}

/// How many fields of mp_ hold what they are born with or what malloc's own tuning makes of it.
int default_values(const DataSegment& segment, std::size_t offset, const Layout& layout) {
    const auto limit =
        read_at<std::int32_t>(segment.bytes, offset + layout.n_mmaps + 4).value_or(0);
    const std::uint64_t trim = segment.word(offset);
    const std::uint64_t threshold = segment.word(offset + 16);
    const std::uint64_t cached = segment.word(offset + layout.sbrk_base + 16);
    return (limit == 65536 ? 2 : 0) + (segment.word(offset + 8) == 128 << 10 ? 1 : 0) +
           (trim == 2 * threshold || trim == 128 << 10 ? 1 : 0) + (threshold >= 128 << 10 ? 1 : 0) +
           (segment.word(offset + 24) == 8 ? 1 : 0) +
           (segment.word(offset + layout.sbrk_base + 8) == 64 ? 1 : 0) +
           (cached == 1032 || cached == 1041 ? 1 : 0);
}

/// sbrk_base is where the first chunk of the main arena stands.
bool begins_with_chunk(TargetMemory& memory, std::uint64_t base) {
    if (memory.is_swapped(base)) return true;  // not to be looked at without a change
    const auto size = memory.read_value<std::uint64_t>(((base + 15) & ~15ULL) + 8);
    return size && (*size & kSizeBits) == kPrevInUse && *size >= kMinChunk;
}

struct Search {
    TargetMemory& memory;
    const std::vector<DataSegment>& data;

    /// The segment that holds `address`; null if none does.
    const DataSegment* segment_of(std::uint64_t address) const {
        const auto found = std::find_if(data.begin(), data.end(), [&](const DataSegment& one) {
            return address >= one.address && address - one.address < one.bytes.size();
        });
        return found == data.end() ? nullptr : &*found;
    }

    /// Do an arena and mp_ stand where the debug file says?
    bool take(const DebugLayout& debug, MallocLocation& out) const {
        const Layout& layout = *debug.layouts.front();
        const std::uint64_t bins = debug.main_arena + layout.bins;
        const DataSegment* arena = segment_of(bins);
        const DataSegment* parameters = segment_of(debug.parameters);
        if (arena == nullptr || parameters == nullptr) return false;
        if (!looks_like_bins(*arena, bins - arena->address)) return false;
        if (!ring_closes(memory, bins, debug.main_arena, layout)) return false;
        auto main = read_arena(memory, layout, debug.main_arena, debug.main_arena);
        if (!main || !looks_like_parameters(*parameters, debug.parameters - parameters->address,
                                            layout, *main, end_of(*main))) {
            return false;
        }
        out.main_arena = debug.main_arena;
        out.parameters = debug.parameters;
        out.from_debug = debug.layouts;
        for (const auto& one : debug.layouts) out.candidates.push_back(one.get());
        out.layout = out.candidates.front();
        return true;
    }

    /// Where the top of the main arena ends; 0 if that is in swap.
    std::uint64_t end_of(const ArenaState& main) const {
        if (memory.is_swapped(main.top)) return 0;
        const auto head = memory.read_value<std::uint64_t>(main.top + 8);
        return main.top + (head.value_or(0) & ~kSizeBits);
    }

    bool find_arena(MallocLocation& out) const {
        for (const DataSegment& segment : data) {
            const std::size_t size = segment.bytes.size();
            for (std::size_t at = 24; at + kStateEndBehindBins <= size; at += 8) {
                if (!looks_like_bins(segment, at)) continue;
                for (const Layout& layout : layouts()) {
                    if (at < layout.bins) continue;
                    const std::uint64_t arena = segment.address + at - layout.bins;
                    if (!ring_closes(memory, segment.address + at, arena, layout)) continue;
                    if (out.candidates.empty()) out.main_arena = arena;
                    if (arena == out.main_arena) out.candidates.push_back(&layout);
                }
                if (!out.candidates.empty()) return true;
            }
        }
        return false;
    }

    bool find_parameters(MallocLocation& out) const {
        auto main = read_arena(memory, *out.candidates[0], out.main_arena, out.main_arena);
        if (!main) return false;
        const std::uint64_t main_end = end_of(*main);
        Found best;
        std::vector<Found> all;
        for (const Layout* layout : out.candidates) {
            const Found found = parameters_for(*layout, *main, main_end);
            all.push_back(found);
            if (found.likeness > best.likeness) best = found;
        }
        std::vector<const Layout*> kept;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const bool same = all[i].address == best.address && all[i].likeness == best.likeness;
            if (best.address != 0 && same) kept.push_back(out.candidates[i]);
        }
        out.parameters = best.address;
        out.candidates = std::move(kept);
        return !out.candidates.empty();
    }

    struct Found {
        std::uint64_t address = 0;
        int likeness = 0;
    };

    /// The place that passes every test and looks most like mp_ with nothing tuned.
    Found parameters_for(const Layout& layout, const ArenaState& main,
                         std::uint64_t main_end) const {
        Found best;
        for (const DataSegment& segment : data) {
            for (std::size_t at = 0; at + layout.par_size <= segment.bytes.size(); at += 8) {
                if (!looks_like_parameters(segment, at, layout, main, main_end)) continue;
                const std::uint64_t base = segment.word(at + layout.sbrk_base);
                if (base != 0 && !begins_with_chunk(memory, base)) continue;
                const int likeness = 1 + default_values(segment, at, layout);
                if (likeness > best.likeness) best = {segment.address + at, likeness};
            }
        }
        return best;
    }
};

}  // namespace

Result<MallocLocation> find_malloc_at(TargetMemory& memory, const std::vector<MapsEntry>& maps,
                                      const DebugLayout& debug) {
    MallocLocation location;
    location.module = scan_libraries(maps).malloc_module;
    const std::vector<DataSegment> data = read_data(memory, maps, location.module);
    if (Search{memory, data}.take(debug, location)) return location;
    return Error{"no arena where the debug file of " + location.module + " says"};
}

Result<MallocLocation> find_malloc(TargetMemory& memory, const std::vector<MapsEntry>& maps) {
    const LibraryScan libraries = scan_libraries(maps);
    if (!libraries.musl.empty()) {
        return Error{"the target runs on musl (" + libraries.musl +
                     "): the census reads glibc's heap only"};
    }
    if (libraries.malloc_module.empty()) return Error{"the target maps no executable file"};
    MallocLocation location;
    location.module = libraries.malloc_module;
    const std::vector<DataSegment> data = read_data(memory, maps, location.module);
    const Search search{memory, data};
    const std::string other = libraries.other_allocator.empty()
                                  ? ""
                                  : "; its memory comes from " + libraries.other_allocator +
                                        ", which the census does not read";
    if (!search.find_arena(location)) {
        const std::string what = libraries.is_static
                                     ? "no glibc malloc in the static executable " +
                                           location.module + " (another libc or language runtime)"
                                     : "glibc's malloc in " + location.module + " was never used";
        return Error{what + other};
    }
    if (!search.find_parameters(location)) {
        return Error{"malloc's parameters (mp_) not found in " + location.module +
                     ": a layout that is not known" + other};
    }
    location.layout = location.candidates.front();
    return location;
}

Result<ArenaState> read_arena(TargetMemory& memory, const Layout& layout, std::uint64_t address,
                              std::uint64_t main_arena) {
    std::vector<std::uint8_t> bytes(layout.state_size());
    if (memory.read(address, bytes) != bytes.size()) return Error{"an arena cannot be read"};
    const auto word = [&](std::size_t at) { return read_at<std::uint64_t>(bytes, at).value_or(0); };
    ArenaState arena;
    arena.address = address;
    arena.is_main = address == main_arena;
    arena.contiguous = (read_at<std::uint32_t>(bytes, 4).value_or(0) & kNonContiguous) == 0;
    arena.top = word(layout.top);
    arena.system_mem = word(layout.bins + kSystemMemBehindBins);
    for (std::uint32_t i = 0; i < kFastbins && layout.has_fastbins; ++i) {
        arena.fastbins[i] = word(16 + 8ULL * i);
    }
    for (std::uint32_t i = 0; i < kBins * 2; ++i) arena.bins[i] = word(layout.bins + 8ULL * i);
    return arena;
}

Result<std::vector<ArenaState>> read_arenas(TargetMemory& memory, const MallocLocation& location) {
    std::vector<ArenaState> arenas;
    std::set<std::uint64_t> seen;
    std::uint64_t address = location.main_arena;
    do {
        if (arenas.size() > kMaxArenas || address == 0 || !seen.insert(address).second) {
            return Error{"the ring of arenas does not close"};
        }
        if (memory.is_swapped(address)) return Error{kSwappedHeap};
        auto arena = read_arena(memory, *location.layout, address, location.main_arena);
        if (!arena) return arena.error();
        const auto next =
            memory.read_value<std::uint64_t>(address + location.layout->bins + kNextBehindBins);
        if (!next) return Error{"the ring of arenas leads to unreadable memory"};
        arenas.push_back(*arena);
        address = *next;
    } while (address != location.main_arena);
    return arenas;
}

Result<MallocParameters> read_parameters(TargetMemory& memory, const MallocLocation& location) {
    const Layout& layout = *location.layout;
    std::vector<std::uint8_t> bytes(layout.par_size);
    if (memory.read(location.parameters, bytes) != bytes.size()) {
        return Error{"malloc's parameters cannot be read"};
    }
    const auto word = [&](std::size_t at) { return read_at<std::uint64_t>(bytes, at).value_or(0); };
    MallocParameters parameters;
    parameters.address = location.parameters;
    // trim_threshold, top_pad and mmap_threshold come first in every version.
    parameters.trim_threshold = word(0);
    parameters.mmap_threshold = word(16);
    parameters.sbrk_base = word(layout.sbrk_base);
    parameters.mmapped_mem = word(layout.mmapped_mem);
    parameters.n_mmaps = read_at<std::uint32_t>(bytes, layout.n_mmaps).value_or(0);
    if (layout.thp_pagesize != 0) parameters.thp_pagesize = word(layout.thp_pagesize);
    if (layout.hp_pagesize != 0) parameters.hp_pagesize = word(layout.hp_pagesize);
    const std::uint64_t huge = parameters.hp_pagesize;
    if (huge != 0 && ((huge & (huge - 1)) != 0 || huge < 4096 || huge > 1ULL << 34)) {
        return Error{"malloc's parameters hold no sensible huge page size"};
    }
    return parameters;
}

}  // namespace asrtrace::heap
