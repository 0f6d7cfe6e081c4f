// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The caches of all threads, found among the chunks in use by their size and proved by their
// content: counts agree with chains, chains lead to chunks in use of the bin's size, and all
// entries of a cache carry one key (malloc.c tcache_put; the process's tcache_key since 2.34, the
// cache's own address before).
#include <algorithm>
#include <map>

#include "user/base/bytes.h"
#include "user/heap/snapshot.h"

namespace asrtrace::heap {
namespace {

constexpr std::uint32_t kSmallBins = 64;
constexpr std::uint32_t kMaxCount = 65535;

/// A list under way: which cache, which bin, where it stands.
struct Chain {
    std::size_t cache = 0;
    std::uint32_t bin = 0;
    std::uint64_t at = 0;
    std::uint32_t length = 0;
    std::uint32_t expected = 0;
};

struct Entry {
    std::size_t chunk;
    std::uint64_t bytes;
    std::uint64_t key;
};

struct Cache {
    std::uint64_t structure = 0;  ///< address of the struct
    bool sound = true;
    std::uint32_t broken_chains = 0;
    std::uint32_t whole_chains = 0;
    std::vector<Entry> entries;
};

class TcacheReader {
  public:
    TcacheReader(TargetMemory& memory, const Snapshot& snapshot, const Layout& layout, bool still)
        : memory_(memory), snapshot_(snapshot), layout_(layout), still_(still) {}

    void add(std::size_t chunk) {
        const std::uint64_t structure = snapshot_.chunks.address(chunk) + kChunkHeader;
        std::vector<std::uint8_t> bytes(layout_.tcache_bytes());
        // The counts alone refuse nearly every chunk that only has the size.
        const std::size_t counts = std::size_t{2} * layout_.tcache_bins;
        if (memory_.read(structure, bytes) != bytes.size()) return;
        Cache cache;
        cache.structure = structure;
        std::vector<Chain> chains;
        std::uint32_t most_free = 0, half_done = 0;
        for (std::uint32_t i = 0; i < layout_.tcache_bins; ++i) {
            most_free = std::max<std::uint32_t>(most_free,
                                                *read_at<std::uint16_t>(bytes, std::size_t{2} * i));
        }
        for (std::uint32_t i = 0; i < layout_.tcache_bins; ++i) {
            const std::uint32_t count = *read_at<std::uint16_t>(bytes, std::size_t{2} * i);
            const std::uint64_t head = *read_at<std::uint64_t>(bytes, counts + 8ULL * i);
            const std::uint32_t held = layout_.tcache_counts_down ? most_free - count : count;
            if (head % 16 != 0) return;
            // num_slots of full bins tells the fill count only if some bin is empty: trust the
            // chain.
            if (!layout_.tcache_counts_down && (held == 0) != (head == 0)) {
                // A thread may stand between the two stores of tcache_put or tcache_get: once.
                if (held > 1 || ++half_done > 1) return;
            }
            if (layout_.tcache_counts_down && head == 0 && count != most_free && count != 0) return;
            if (head != 0) chains.push_back({caches_.size(), i, head, 0, held});
        }
        caches_.push_back(std::move(cache));
        chains_.insert(chains_.end(), chains.begin(), chains.end());
    }

    /// All lists in step: one gathering read a round, as long as the longest list.
    void follow() {
        while (!chains_.empty()) {
            std::vector<Chain> alive;
            std::vector<std::size_t> places;
            std::vector<std::uint64_t> addresses;
            for (Chain& chain : chains_) {
                std::size_t place = 0;
                if (!enters(chain, place)) continue;
                alive.push_back(chain);
                places.push_back(place);
                addresses.push_back(chain.at);
            }
            std::vector<std::uint64_t> words(addresses.size() * 2);
            memory_.read_each(addresses, 16,
                              {reinterpret_cast<std::uint8_t*>(words.data()), words.size() * 8});
            chains_.clear();
            for (std::size_t i = 0; i < alive.size(); ++i)
                advance(alive[i], places[i], &words[2 * i]);
        }
    }

    /// The key that most caches' entries carry decides which caches are real.
    std::vector<Cache> sound_caches() {
        std::map<std::uint64_t, std::size_t> keys;
        for (const Cache& cache : caches_) {
            for (const Entry& entry : cache.entries) ++keys[entry.key];
        }
        std::uint64_t common = 0;
        std::size_t most = 0;
        for (const auto& [key, count] : keys) {
            if (count > most) most = count, common = key;
        }
        std::vector<Cache> sound;
        for (Cache& cache : caches_) {
            if (!cache.sound) continue;
            if (!still_ && cache.broken_chains > cache.whole_chains + 1) continue;
            std::erase_if(cache.entries, [&](const Entry& entry) {
                return entry.key != common && entry.key != cache.structure;
            });
            sound.push_back(std::move(cache));
        }
        return sound;
    }

  private:
    /// Is the chain's next entry a chunk that can be there?
    bool enters(Chain& chain, std::size_t& place) {
        Cache& cache = caches_[chain.cache];
        const std::uint64_t chunk = chain.at - kChunkHeader;
        const Segment* segment = find_segment(snapshot_.segments, chunk);
        const auto found = segment == nullptr || segment->kind == SegmentKind::kMapped
                               ? std::nullopt
                               : snapshot_.chunks.find(*segment, chunk);
        bool good = found && snapshot_.chunks.address(*found) == chunk &&
                    !snapshot_.chunks.is(*found, kFreed) && chain.length < kMaxCount;
        if (good && chain.bin < kSmallBins) {
            good = snapshot_.chunks.bytes(*segment, *found) == kMinChunk + 16ULL * chain.bin;
        }
        if (good) {
            place = *found;
            return true;
        }
        ++cache.broken_chains;
        if (still_) cache.sound = false;
        return false;
    }

    void advance(Chain chain, std::size_t place, const std::uint64_t* words) {
        Cache& cache = caches_[chain.cache];
        const Segment* segment = find_segment(snapshot_.segments, chain.at - kChunkHeader);
        cache.entries.push_back({place, snapshot_.chunks.bytes(*segment, place), words[1]});
        ++chain.length;
        chain.at = reveal(layout_, chain.at, words[0]);
        if (chain.at != 0) {
            if (chain.length <= kMaxCount) chains_.push_back(chain);
            return;
        }
        const bool whole = layout_.tcache_counts_down || chain.length == chain.expected;
        ++(whole ? cache.whole_chains : cache.broken_chains);
        const bool half_done = chain.length + 1 == chain.expected ||
                               chain.length == chain.expected + 1;  // a thread stopped in between
        if (still_ && !whole && (!half_done || cache.broken_chains > 1)) cache.sound = false;
    }

    TargetMemory& memory_;
    const Snapshot& snapshot_;
    const Layout& layout_;
    bool still_;
    std::vector<Cache> caches_;
    std::vector<Chain> chains_;
};

std::size_t entry_count(const std::vector<Cache>& caches) {
    std::size_t sum = 0;
    for (const Cache& cache : caches) sum += cache.entries.size();
    return sum;
}

}  // namespace

Status read_tcaches(TargetMemory& memory, Snapshot& snapshot,
                    const std::vector<std::size_t>& candidates, bool still) {
    std::vector<Cache> best;
    const Layout* best_layout = snapshot.location.layout;
    for (const Layout* layout : snapshot.location.candidates) {
        TcacheReader reader(memory, snapshot, *layout, still);
        for (std::size_t chunk : candidates) {
            if (snapshot.chunks.is(chunk, kFreed)) continue;
            const Segment* segment =
                find_segment(snapshot.segments, snapshot.chunks.address(chunk));
            if (segment == nullptr) continue;
            if (layout->may_hold_tcache(snapshot.chunks.bytes(*segment, chunk))) reader.add(chunk);
        }
        reader.follow();
        std::vector<Cache> caches = reader.sound_caches();
        if (entry_count(caches) > entry_count(best) || (best.empty() && !caches.empty())) {
            best = std::move(caches);
            best_layout = layout;
        }
    }
    snapshot.location.layout = best_layout;
    for (const Cache& cache : best) {
        snapshot.tcaches.push_back(cache.structure - kChunkHeader);
        for (const Entry& entry : cache.entries) {
            if (snapshot.chunks.is(entry.chunk, kFreed)) continue;
            snapshot.chunks.set(entry.chunk, kInTcache);
            ++snapshot.tcache_chunks;
            snapshot.tcache_bytes += entry.bytes;
        }
    }
    return ok_status();
}

}  // namespace asrtrace::heap
