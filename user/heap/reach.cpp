// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/reach.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "user/heap/locator.h"
#include "user/heap/roots.h"

namespace asrtrace::heap {
namespace {

constexpr std::size_t kWindow = 512 << 10;
constexpr std::size_t kBatchChunks = 512;
constexpr std::size_t kMaxHolders = 20;

struct HolderKey {
    RootKind kind;
    std::uint64_t where;
    friend bool operator<(const HolderKey& a, const HolderKey& b) {
        return a.kind != b.kind ? a.kind < b.kind : a.where < b.where;
    }
};

class Marking {
  public:
    Marking(TargetMemory& memory, Snapshot& snapshot,
            std::chrono::steady_clock::time_point deadline)
        : memory_(memory), snapshot_(snapshot), locator_(snapshot), deadline_(deadline) {}

    bool run(const std::vector<RootRange>& roots, const std::vector<ThreadState>& threads) {
        for (std::uint64_t tcache : snapshot_.tcaches) reach(tcache + kChunkHeader);
        stack_.clear();  // a tcache's own words point at what is freed
        std::vector<std::uint64_t> words(kWindow / 8);
        for (const RootRange& root : roots) {
            for (std::uint64_t at = root.begin; at < root.end; at += kWindow) {
                if (late()) return false;
                const std::size_t wanted = std::min<std::uint64_t>(kWindow, root.end - at);
                auto* bytes = reinterpret_cast<std::uint8_t*>(words.data());
                const std::size_t got = memory_.read(at, {bytes, wanted});
                // Variables have names of their own; elsewhere a whole range shares one, and
                // following many pointers at once is faster.
                const bool one_by_one = root.kind == RootKind::kData;
                for (std::size_t i = 0; i < got / 8; ++i) {
                    if (reach(words[i]) && one_by_one) drain(key_of(root, at + 8 * i));
                }
                if (!stack_.empty()) drain(key_of(root, at));
            }
        }
        for (const ThreadState& thread : threads) {
            for (std::uint64_t word : thread.registers) {
                if (reach(word)) {
                    drain({RootKind::kRegisters, static_cast<std::uint64_t>(thread.tid)});
                }
            }
        }
        return !late_;
    }

    const std::map<HolderKey, Holder>& holders() const { return holders_; }

  private:
    bool late() {
        late_ = late_ || std::chrono::steady_clock::now() > deadline_;
        return late_;
    }

    static HolderKey key_of(const RootRange& root, std::uint64_t address) {
        // A word of a data segment is a variable; of other roots only the whole has a name.
        return {root.kind, root.kind == RootKind::kData ? address : root.owner};
    }

    /// Marks the chunk that `word` points into; true if that is news.
    bool reach(std::uint64_t word) {
        std::size_t segment = 0, chunk = 0;
        if (!locator_.find(word, segment, chunk)) return false;
        if (snapshot_.chunks.is(chunk, kFreed | kMarked)) return false;
        snapshot_.chunks.set(chunk, kMarked);
        const Segment& home = snapshot_.segments[segment];
        const std::uint64_t begin = snapshot_.chunks.address(chunk);
        const std::uint64_t bytes = snapshot_.chunks.bytes(home, chunk);
        stack_.push_back({begin + kChunkHeader, std::min(begin + bytes + 8, home.end)});
        sum_bytes_ += bytes;
        ++sum_chunks_;
        return true;
    }

    void drain(const HolderKey& key) {
        while (!stack_.empty() && !late()) {
            pieces_.clear();
            std::uint64_t total = 0;
            while (!stack_.empty() && pieces_.size() < kBatchChunks && total < kWindow) {
                const Span span = stack_.back();
                stack_.pop_back();
                total += take_present(span, kWindow - total);
            }
            if (total == 0) continue;
            total += merge_neighbours();
            buffer_.resize(std::max<std::size_t>(buffer_.size(), (total + 7) / 8));
            memory_.read_pieces(pieces_, {reinterpret_cast<std::uint8_t*>(buffer_.data()), total});
            for (std::size_t i = 0; i < total / 8; ++i) reach(buffer_[i]);
        }
        Holder& holder = holders_[key];
        holder.bytes += sum_bytes_;
        holder.chunks += sum_chunks_;
        sum_bytes_ = sum_chunks_ = 0;
    }

    /// Chunks that stand side by side become one piece with the size word between them, which is no
    /// pointer: a piece costs more than the bytes in it. Returns how many bytes that added.
    std::uint64_t merge_neighbours() {
        std::sort(pieces_.begin(), pieces_.end(),
                  [](const Piece& a, const Piece& b) { return a.address < b.address; });
        std::size_t kept = 0;
        std::uint64_t added = 0;
        for (std::size_t i = 1; i < pieces_.size(); ++i) {
            Piece& last = pieces_[kept];
            const std::uint64_t end = last.address + last.length;
            if (pieces_[i].address - end <= 8) {
                added += pieces_[i].address - end;
                last.length = pieces_[i].address + pieces_[i].length - last.address;
            } else {
                pieces_[++kept] = pieces_[i];
            }
        }
        pieces_.resize(pieces_.empty() ? 0 : kept + 1);
        return added;
    }

    struct Span {
        std::uint64_t begin, end;
    };

    /// Adds the present part of `span` to the batch, at most `room` bytes; the rest goes back.
    std::uint64_t take_present(Span span, std::uint64_t room) {
        std::uint64_t taken = 0;
        while (span.begin < span.end) {
            const PageRange* range = snapshot_.residency.find_from(span.begin);
            if (range == nullptr || range->begin >= span.end) return taken;
            span.begin = std::max(span.begin, range->begin);
            const std::uint64_t end = std::min(span.end, range->end);
            if (range->kind != PageKind::kAnonymous && range->kind != PageKind::kFile) {
                span.begin = end;
                continue;
            }
            if (taken == room || pieces_.size() >= kBatchChunks * 2) {
                stack_.push_back(span);
                return taken;
            }
            const std::uint64_t count = std::min(end - span.begin, room - taken) & ~7ULL;
            if (count == 0) return taken;
            pieces_.push_back({span.begin, count});
            taken += count;
            span.begin += count;
        }
        return taken;
    }

    TargetMemory& memory_;
    Snapshot& snapshot_;
    const Locator locator_;
    const std::chrono::steady_clock::time_point deadline_;
    bool late_ = false;
    std::vector<Span> stack_;
    std::vector<Piece> pieces_;
    std::vector<std::uint64_t> buffer_;
    std::map<HolderKey, Holder> holders_;
    std::uint64_t sum_bytes_ = 0, sum_chunks_ = 0;
};

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

/// module+0xoffset, the offset counted from the module's first mapping.
std::string name_data(const Snapshot& snapshot, std::uint64_t address) {
    const MapsEntry* entry = find_mapping(snapshot.maps, address);
    if (entry == nullptr) return hex(address);
    std::size_t index = static_cast<std::size_t>(entry - snapshot.maps.data());
    if (!entry->is_file() && index > 0) --index;
    const std::string& path = snapshot.maps[index].path;
    while (index > 0 && snapshot.maps[index - 1].path == path) --index;
    return path.substr(path.rfind('/') + 1) + "+" + hex(address - snapshot.maps[index].begin);
}

std::string name_of(const Snapshot& snapshot, const HolderKey& key) {
    switch (key.kind) {
        case RootKind::kData:
            return name_data(snapshot, key.where);
        case RootKind::kRegisters:
            return "registers of thread " + std::to_string(key.where);
        case RootKind::kStack:
            return key.where == 0 ? "stack of the main thread"
                                  : "stack and TLS of thread " + hex(key.where);
        case RootKind::kAnonymous:
            break;
    }
    if (key.where >= snapshot.maps.size()) return "anonymous mapping";
    const MapsEntry& entry = snapshot.maps[key.where];
    return (entry.path.empty() ? "anonymous mapping" : entry.path) + " at " + hex(entry.begin);
}

void list_unmarked(const Snapshot& snapshot, Reach& reach) {
    for (const Segment& segment : snapshot.segments) {
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            if (snapshot.chunks.is(i, kFreed | kMarked)) continue;
            const std::uint64_t bytes = snapshot.chunks.bytes(segment, i);
            reach.leaked.push_back({snapshot.chunks.address(i) + kChunkHeader, bytes});
            reach.unreachable_bytes += bytes;
            ++reach.unreachable_chunks;
        }
    }
}

}  // namespace

Result<Reach> find_unreachable(TargetMemory& memory, Snapshot& snapshot,
                               const std::vector<ThreadState>& threads,
                               std::chrono::steady_clock::time_point deadline) {
    const std::vector<RootRange> roots = find_roots(memory, snapshot, threads);
    Marking marking(memory, snapshot, deadline);
    if (!marking.run(roots, threads)) return Error{"marking what is reachable took too long"};
    Reach reach;
    list_unmarked(snapshot, reach);
    for (const auto& [key, holder] : marking.holders()) {
        reach.holders.push_back({name_of(snapshot, key), holder.bytes, holder.chunks});
    }
    std::stable_sort(reach.holders.begin(), reach.holders.end(),
                     [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
    if (reach.holders.size() > kMaxHolders) reach.holders.resize(kMaxHolders);
    return reach;
}

Reach intersect(const Reach& a, const Reach& b) {
    Reach both;
    both.holders = b.holders;
    both.snapshots = a.snapshots + b.snapshots;
    std::set_intersection(a.leaked.begin(), a.leaked.end(), b.leaked.begin(), b.leaked.end(),
                          std::back_inserter(both.leaked));
    for (const Leaked& leaked : both.leaked) both.unreachable_bytes += leaked.bytes;
    both.unreachable_chunks = both.leaked.size();
    return both;
}

}  // namespace asrtrace::heap
