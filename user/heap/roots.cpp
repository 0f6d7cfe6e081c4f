// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/roots.h"

#include <elf.h>

#include <algorithm>
#include <map>
#include <set>

#include "user/base/architecture.h"
#include "user/base/bytes.h"
#include "user/heap/page_buffer.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint64_t kBlockBytes = 0x900;  // sizeof(struct pthread), rounded up
constexpr std::uint64_t kMaxMappingSearched = 512ULL << 20;
constexpr std::size_t kMaxBlocks = 100000;

struct Interval {
    std::uint64_t begin, end;
};

bool is_malloc_memory(const Snapshot& snapshot, std::uint64_t address) {
    const auto behind = std::partition_point(snapshot.segments.begin(), snapshot.segments.end(),
                                             [&](const Segment& s) { return s.begin <= address; });
    if (behind == snapshot.segments.begin()) return false;
    const Segment& segment = *(behind - 1);
    return address < std::max(segment.end, segment.committed);
}

/// The stack that a thread block describes: stackblock and stackblock_size stand in it side by
/// side, at an offset that differs by version; they must hold the block near their end.
void find_stack(Bytes block, ThreadBlock& out) {
    for (std::size_t at = 0x100; at + 16 <= block.size(); at += 8) {
        const std::uint64_t begin = *read_at<std::uint64_t>(block, at);
        const std::uint64_t size = *read_at<std::uint64_t>(block, at + 8);
        if (begin == 0 || begin % 4096 != 0 || size % 4096 != 0 || begin >= out.address) continue;
        if (size < 16384 || size > 1ULL << 34 || begin + size <= out.address) continue;
        if (begin + size - out.address > 1 << 20) continue;
        out.stack_begin = begin;
        out.stack_end = begin + size;
        return;
    }
}

/// Finds the thread blocks of one present range.
void search_blocks(TargetMemory& memory, const PageRange& range,
                   std::vector<std::uint64_t>& found) {
    constexpr std::size_t kSignBytes = kThreadBlockSigns.words[1] + 8;
    PageBuffer window(256 << 10);
    // A window reaches into the next one, so that no block's signs are cut apart.
    const std::size_t stride = window.size() - 4096;
    for (std::uint64_t at = range.begin; at < range.end; at += stride) {
        const std::size_t wanted = std::min<std::uint64_t>(window.size(), range.end - at);
        const std::size_t got = memory.read(at, window.first(wanted));
        for (std::size_t i = 0; i < stride && i + kSignBytes <= got;
             i += kThreadBlockSigns.alignment) {
            const auto signs = [&](std::size_t word) {
                std::uint64_t value;
                std::memcpy(&value, window.data() + i + word, 8);
                return value == at + i + kThreadBlockSigns.points_to;
            };
            if (std::ranges::all_of(kThreadBlockSigns.words, signs) && found.size() < kMaxBlocks)
                found.push_back(at + i);
        }
    }
}

/// Offset of `tid` in struct pthread: where most blocks hold a live thread's number.
std::size_t learn_tid_offset(const std::vector<std::vector<std::uint8_t>>& blocks,
                             const std::set<std::int32_t>& tids) {
    std::size_t best = 0, most = 0;
    for (std::size_t at = kThreadBlockSigns.thread_id_from; at < 0x400; at += 4) {
        std::size_t hits = 0;
        for (const auto& block : blocks) {
            hits += tids.count(read_at<std::int32_t>(block, at).value_or(-1));
        }
        if (hits > most) most = hits, best = at;
    }
    return best;
}

class RootSearch {
  public:
    RootSearch(TargetMemory& memory, const Snapshot& snapshot,
               const std::vector<ThreadState>& threads)
        : memory_(memory), snapshot_(snapshot), threads_(threads) {
        blocks_ = find_thread_blocks(memory, snapshot, threads);
    }

    std::vector<RootRange> run() {
        exclude_malloc();
        exclude_stacks();
        std::sort(excluded_.begin(), excluded_.end(),
                  [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
        for (std::size_t i = 0; i < snapshot_.maps.size(); ++i) add_mapping(i);
        std::stable_sort(roots_.begin(), roots_.end(),
                         [](const RootRange& a, const RootRange& b) { return a.kind < b.kind; });
        return std::move(roots_);
    }

  private:
    void exclude_malloc() {
        for (const Segment& segment : snapshot_.segments) {
            excluded_.push_back({segment.begin, std::max(segment.end, segment.committed)});
        }
        const std::uint64_t main = snapshot_.location.main_arena;
        excluded_.push_back({main, main + snapshot_.layout().state_size()});
    }

    void exclude_stacks() {
        for (const ThreadBlock& block : blocks_) {
            if (block.alive || block.stack_end == 0) continue;
            // A cached stack keeps its thread's dtv for the next thread; nothing else of it counts.
            // Where the dtv stands behind the block (arm64), what lies around it cannot be told
            // apart, and the thread's variables stay roots.
            if (kThreadBlockSigns.dtv == kNoWord) {
                excluded_.push_back({block.stack_begin, block.address});
                continue;
            }
            const std::uint64_t dtv = block.address + kThreadBlockSigns.dtv;
            excluded_.push_back({block.stack_begin, dtv});
            excluded_.push_back({dtv + 8, block.stack_end});
        }
        for (const ThreadState& thread : threads_) {
            if (thread.stack_pointer < kRedZoneBytes) continue;
            const std::uint64_t used = thread.stack_pointer - kRedZoneBytes;
            const MapsEntry* mapping = find_mapping(snapshot_.maps, thread.stack_pointer);
            if (mapping == nullptr) continue;
            std::uint64_t begin = mapping->begin;
            bool known = mapping->path == "[stack]";
            for (const ThreadBlock& block : blocks_) {
                if (block.stack_begin <= used && used < block.stack_end) {
                    begin = std::max(begin, block.stack_begin);
                    known = true;
                }
            }
            // Without a block the mapping may hold more than this stack: leave nothing out then.
            if (known && begin < used) excluded_.push_back({begin, used});
        }
    }

    /// Where the module of mapping `index` ends by its program headers; 0 if they cannot be read.
    std::uint64_t image_end(std::size_t index) {
        const std::string& path = snapshot_.maps[index].path;
        while (index > 0 && snapshot_.maps[index - 1].path == path) --index;
        const std::uint64_t base = snapshot_.maps[index].begin;
        const auto known = image_ends_.find(base);
        if (known != image_ends_.end()) return known->second;
        std::uint64_t end = 0;
        const auto header = memory_.read_value<Elf64_Ehdr>(base);
        for (unsigned i = 0; header && i < header->e_phnum && i < 64; ++i) {
            const auto segment =
                memory_.read_value<Elf64_Phdr>(base + header->e_phoff + i * sizeof(Elf64_Phdr));
            if (!segment || segment->p_type != PT_LOAD) continue;
            const std::uint64_t bias = header->e_type == ET_DYN ? base : 0;
            end = std::max(end, bias + segment->p_vaddr + segment->p_memsz);
        }
        return image_ends_[base] = (end + 4095) & ~4095ULL;
    }

    RootKind kind_of(const MapsEntry& entry, std::uint64_t address, std::uint64_t& owner) {
        for (const ThreadBlock& block : blocks_) {
            if (block.alive && block.stack_begin <= address && address < block.stack_end) {
                owner = block.address;
                return RootKind::kStack;
            }
        }
        if (entry.path == "[stack]") return owner = 0, RootKind::kStack;
        if (entry.is_file()) return RootKind::kData;
        // .bss stands directly behind its module's data, and other mappings may follow at once.
        const std::size_t index = static_cast<std::size_t>(&entry - snapshot_.maps.data());
        const bool behind = index > 0 && snapshot_.maps[index - 1].is_file() &&
                            snapshot_.maps[index - 1].end == entry.begin && entry.path.empty();
        return behind && address < image_end(index - 1) ? RootKind::kData : RootKind::kAnonymous;
    }

    void add_mapping(std::size_t index) {
        const MapsEntry& entry = snapshot_.maps[index];
        if (!entry.readable) return;
        std::uint64_t at = entry.begin;
        auto next = std::partition_point(excluded_.begin(), excluded_.end(),
                                         [&](const Interval& i) { return i.begin < entry.begin; });
        for (auto i = excluded_.begin(); i != next; ++i) at = std::max(at, i->end);
        for (; next != excluded_.end() && next->begin < entry.end; ++next) {
            add_range(index, at, next->begin);
            at = std::max(at, next->end);
        }
        add_range(index, at, entry.end);
    }

    /// Adds [from, to) as far as it is of one kind; returns where that ends.
    std::uint64_t push_range(const MapsEntry& entry, std::size_t index, std::uint64_t from,
                             std::uint64_t to) {
        RootRange root{(from + 7) & ~7ULL, to, RootKind::kData, index};
        root.kind = kind_of(entry, from, root.owner);
        if (root.kind == RootKind::kData && !entry.is_file() && index > 0) {
            root.end = std::min(to, std::max(from + 8, image_end(index - 1)));
        }
        roots_.push_back(root);
        return root.end;
    }

    /// Present pages of [begin, end) only.
    void add_range(std::size_t index, std::uint64_t begin, std::uint64_t end) {
        const MapsEntry& entry = snapshot_.maps[index];
        while (begin < end) {
            const PageRange* range = snapshot_.residency.find_from(begin);
            if (range == nullptr || range->begin >= end) return;
            const std::uint64_t from = std::max(begin, range->begin);
            std::uint64_t to = std::min(end, range->end);
            const bool readable =
                range->kind == PageKind::kAnonymous || range->kind == PageKind::kFile;
            if (readable && from < to) to = push_range(entry, index, from, to);
            begin = to;
        }
    }

    TargetMemory& memory_;
    const Snapshot& snapshot_;
    const std::vector<ThreadState>& threads_;
    std::map<std::uint64_t, std::uint64_t> image_ends_;
    std::vector<ThreadBlock> blocks_;
    std::vector<Interval> excluded_;
    std::vector<RootRange> roots_;
};

}  // namespace

std::vector<ThreadBlock> find_thread_blocks(TargetMemory& memory, const Snapshot& snapshot,
                                            const std::vector<ThreadState>& threads) {
    std::vector<std::uint64_t> found;
    for (const MapsEntry& entry : snapshot.maps) {
        if (entry.is_file() || !entry.readable || !entry.writable || entry.shared) continue;
        if (entry.size_bytes() > kMaxMappingSearched || entry.path == "[heap]") continue;
        for (const PageRange* range = snapshot.residency.find_from(entry.begin);
             range != nullptr && range->begin < entry.end;
             range = snapshot.residency.find_from(range->end)) {
            if (range->kind != PageKind::kAnonymous || is_malloc_memory(snapshot, range->begin))
                continue;
            search_blocks(memory, *range, found);
        }
    }
    std::vector<std::vector<std::uint8_t>> contents;
    std::set<std::int32_t> tids;
    std::set<std::uint64_t> bases;
    for (const ThreadState& thread : threads) {
        tids.insert(thread.tid);
        if (thread.tls_base != 0) bases.insert(thread.tls_base);
    }
    std::vector<ThreadBlock> blocks;
    for (std::uint64_t address : found) {
        std::vector<std::uint8_t> bytes(kBlockBytes);
        bytes.resize(memory.read(address, bytes));
        ThreadBlock block;
        block.address = address;
        find_stack(bytes, block);
        blocks.push_back(block);
        contents.push_back(std::move(bytes));
    }
    // The kernel clears tid when a thread ends (CLONE_CHILD_CLEARTID).
    const std::size_t tid_at = learn_tid_offset(contents, tids);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const std::int32_t tid = read_at<std::int32_t>(contents[i], tid_at).value_or(0);
        const bool ended = tid_at != 0 && tids.count(tid) == 0;
        blocks[i].alive = !bases.empty() ? bases.count(blocks[i].address) != 0 : !ended;
    }
    return blocks;
}

std::vector<RootRange> find_roots(TargetMemory& memory, const Snapshot& snapshot,
                                  const std::vector<ThreadState>& threads) {
    return RootSearch(memory, snapshot, threads).run();
}

}  // namespace asrtrace::heap
