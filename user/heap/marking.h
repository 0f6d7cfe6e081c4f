// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The mark of a reading: from the roots through the chunks in use, in the target's own memory,
// which may change meanwhile (reach.h tells what is made of it).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "user/heap/locator.h"
#include "user/heap/page_buffer.h"
#include "user/heap/reach.h"
#include "user/heap/roots.h"

namespace asrtrace::heap {

struct HolderKey {
    RootKind kind;
    std::uint64_t where;
    friend bool operator<(const HolderKey& a, const HolderKey& b) {
        return a.kind != b.kind ? a.kind < b.kind : a.where < b.where;
    }
};

/// Marks in two rounds: first what words lead to that a program would go by, then what any word
/// does.
class Marking {
  public:
    Marking(TargetMemory& memory, Snapshot& snapshot, std::span<const AskedSize> asked,
            const PassingWords* passing, std::chrono::steady_clock::time_point deadline)
        : memory_(memory),
          snapshot_(snapshot),
          asked_(asked),
          passing_(passing),
          locator_(snapshot, wants_newer()),
          filter_(locator_.filter()),
          deadline_(deadline),
          buffer_(2 * kWindow),
          weak_(snapshot.chunks.size()) {}

    bool run(const std::vector<RootRange>& roots, const std::vector<ThreadState>& threads) {
        for (std::uint64_t tcache : snapshot_.tcaches) {
            Place place;  // a tcache's own words point at what is freed
            if (lead_of(tcache + kChunkHeader, place) == Lead::kNews) {
                snapshot_.chunks.set(place.chunk, kMarked);
            }
        }
        if (!search_roots(roots)) return false;
        for (const std::uint64_t word : snapshot_.kernel_words) {
            Place place;
            if (follow_root(word, place) != Lead::kNews) continue;
            mark(place);
            drain({RootKind::kKernel, 0});
        }
        for (const ThreadState& thread : threads) {
            // A register may run through a block.
            for (std::uint64_t word : thread.registers) {
                Place place;
                if (follow_root(word, place) != Lead::kNews) continue;
                mark(place);
                drain({RootKind::kRegisters, static_cast<std::uint64_t>(thread.tid)});
            }
        }
        if (passing_ != nullptr) follow_passing();
        return !late_;
    }

    /// Is there a block in use that no word, not even a weak one, has led to yet?
    bool something_seems_lost() const {
        for (std::size_t i = 0; i < snapshot_.chunks.size(); ++i)
            if (!weak_[i] && !snapshot_.chunks.is(i, kFreed | kMarked)) return true;
        return false;
    }

    /// What ran while it was read may have moved on between a word and what it led to: the first
    /// job of a queue is done and its link to the next one gone before its turn comes here. All
    /// that is marked is searched once more, and what that finds is followed at once, before
    /// anything else.
    bool look_again(const std::vector<RootRange>& roots) {
        constexpr std::size_t kFew =
            32;  // blocks, between whose reading and following little time passes
        for (const Segment& home : snapshot_.segments) {
            for (std::size_t i = home.chunk_begin; i < home.chunk_end; ++i) {
                if (snapshot_.chunks.is(i, kFreed) || !snapshot_.chunks.is(i, kMarked)) continue;
                push(home, i);
                if (stack_.size() < kFew) continue;
                drain({RootKind::kPassing, 0});
                if (late()) return false;
            }
        }
        drain({RootKind::kPassing, 0});
        return search_roots(roots);
    }

    /// The second round: marks what is held by weak words alone.
    bool run_weak() {
        any_word_counts_ = true;
        for (std::size_t segment = 0; segment < snapshot_.segments.size(); ++segment) {
            const Segment& home = snapshot_.segments[segment];
            for (std::size_t i = home.chunk_begin; i < home.chunk_end; ++i) {
                if (!weak_[i] || snapshot_.chunks.is(i, kFreed | kMarked)) continue;
                mark({segment, i});
                follow();
            }
        }
        return !late_;
    }

    const std::map<HolderKey, Holder>& holders() const { return holders_; }

    /// Nothing if there were too many.
    std::optional<std::vector<std::uint64_t>> take_newer() {
        tidy_newer();
        if (too_many_newer_) return std::nullopt;
        return std::move(newer_);
    }

  private:
    static constexpr std::size_t kWindow = 256 << 10;  // stays in the second-level cache
    static constexpr std::size_t kBatchChunks = 512;
    /// Programs point into the beginnings of blocks: second bases, array cookies, headers of
    /// wrappers.
    static constexpr std::uint64_t kNearBeginning = 64;
    /// Of a user's address (x86-64 and arm64 with four levels of tables); programs put tags above.
    static constexpr std::uint64_t kAddressBits = (1ULL << 48) - 1;

    bool late() {
        late_ = late_ || std::chrono::steady_clock::now() > deadline_;
        return late_;
    }

    bool search_roots(const std::vector<RootRange>& roots) {
        PageBuffer window(kWindow);
        for (const RootRange& root : roots) {
            for (std::uint64_t at = root.begin; at < root.end; at += kWindow) {
                if (late()) return false;
                const std::size_t wanted = std::min<std::uint64_t>(kWindow, root.end - at);
                const std::size_t got = memory_.read(at, window.first(wanted));
                search_root(root, at, {window.words(), got / 8});
            }
        }
        return true;
    }

    static HolderKey key_of(const RootRange& root, std::uint64_t address) {
        // A word of a data segment is a variable; of other roots only the whole has a name.
        return {root.kind, root.kind == RootKind::kData ? address : root.owner};
    }

    void search_root(const RootRange& root, std::uint64_t begin,
                     std::span<const std::uint64_t> words) {
        // Variables have names of their own; elsewhere a whole range shares one, and following many
        // pointers at once is faster.
        const bool one_by_one = root.kind == RootKind::kData;
        const Locator::Filter may_be_pointer = filter_;
        for (std::size_t i = 0; i < words.size(); ++i) {
            Place place;
            if (!may_be_pointer(untagged(words[i])) || follow_root(words[i], place) != Lead::kNews)
                continue;
            if (!is_sure(words[i], place)) {
                weak_[place.chunk] = true;
                continue;
            }
            mark(place);
            if (one_by_one) drain(key_of(root, begin + 8 * i));
        }
        if (!stack_.empty()) drain(key_of(root, begin));
    }

    struct Place {
        std::size_t segment = 0, chunk = 0;
    };

    enum class Lead : std::uint8_t {
        kNone,
        kNews,   ///< into a chunk in use that is not marked yet
        kNewer,  ///< to no chunk that was in use, perhaps to one that is by now
    };

    Lead lead_of(std::uint64_t word, Place& place) const {
        const auto where = locator_.find(untagged(word), place.segment, place.chunk);
        if (where == Locator::Where::kElsewhere) return Lead::kNone;
        if (where == Locator::Where::kNearby || snapshot_.chunks.is(place.chunk, kFreed))
            return is_tagged(word) ? Lead::kNone : Lead::kNewer;
        return snapshot_.chunks.is(place.chunk, kMarked) ? Lead::kNone : Lead::kNews;
    }

    /// Of a word that a program would go by.
    Lead follow_root(std::uint64_t word, Place& place) {
        const Lead lead = lead_of(word, place);
        if (lead == Lead::kNewer) note_newer(word);
        return lead;
    }

    bool wants_newer() const { return passing_ != nullptr && passing_->wanted; }

    void note_newer(std::uint64_t word) {
        if (!wants_newer() || any_word_counts_ || too_many_newer_ || word % 8 != 0) return;
        if (newer_.size() == newer_.capacity()) {
            tidy_newer();
            if (too_many_newer_) return;
            newer_.reserve(std::max<std::size_t>(2 * newer_.size(), 4096));
        }
        newer_.push_back(word);
    }

    void tidy_newer() {
        std::sort(newer_.begin(), newer_.end());
        newer_.erase(std::unique(newer_.begin(), newer_.end()), newer_.end());
        too_many_newer_ = passing_ != nullptr && newer_.size() > passing_->most;
    }

    /// After the other roots, so that a holder gets only what nothing else holds.
    void follow_passing() {
        for (const std::uint64_t word : passing_->words) {
            Place place;
            if (lead_of(word, place) != Lead::kNews || !is_sure(word, place)) continue;
            mark(place);
            drain({RootKind::kPassing, 0});
        }
    }

    static std::uint64_t untagged(std::uint64_t word) { return word & kAddressBits; }
    static bool is_tagged(std::uint64_t word) { return word != untagged(word); }

    /// Would a program go by this word? One with a tag is a pointer to some, a number to others.
    bool is_sure(std::uint64_t word, const Place& place) const {
        if (is_tagged(word)) return false;
        const std::uint64_t offset = word - snapshot_.chunks.address(place.chunk) - kChunkHeader;
        return offset < kNearBeginning && offset % 8 == 0;
    }

    void mark(const Place& place) {
        snapshot_.chunks.set(place.chunk, kMarked);
        sum_bytes_ += push(snapshot_.segments[place.segment], place.chunk);
        ++sum_chunks_;
    }

    /// What the program may use of a chunk is searched next. Returns the chunk's bytes.
    std::uint64_t push(const Segment& home, std::size_t chunk) {
        const std::uint64_t begin = snapshot_.chunks.address(chunk);
        const std::uint64_t bytes = snapshot_.chunks.bytes(home, chunk);
        const std::uint64_t end = std::min(begin + bytes + 8, home.end);
        stack_.push_back({begin + kChunkHeader, std::min(end, end_of_asked(begin, bytes))});
        return bytes;
    }

    /// Where the bytes end that the program asked for, if that is known and still true.
    std::uint64_t end_of_asked(std::uint64_t chunk, std::uint64_t bytes) const {
        const std::uint64_t address = chunk + kChunkHeader;
        const auto at = std::partition_point(
            asked_.begin(), asked_.end(), [&](const AskedSize& a) { return a.address < address; });
        if (at == asked_.end() || at->address != address) return ~0ULL;
        const bool fits = at->bytes + 8 <= bytes && bytes <= at->bytes + 8 + kMinChunk;
        return fits ? (address + at->bytes + 7) & ~7ULL : ~0ULL;
    }

    /// Is the word at `address`, inside a chunk, the last one of it? Where less was asked for, it
    /// keeps what stood there before.
    bool is_last_word(std::uint64_t address) const {
        Place place;
        if (locator_.find(address, place.segment, place.chunk) != Locator::Where::kChunk)
            return false;
        const Segment& home = snapshot_.segments[place.segment];
        const std::uint64_t begin = snapshot_.chunks.address(place.chunk);
        return home.kind != SegmentKind::kMapped &&
               begin + snapshot_.chunks.bytes(home, place.chunk) == address;
    }

    void drain(const HolderKey& key) {
        follow();
        Holder& holder = holders_[key];
        holder.bytes += sum_bytes_;
        holder.chunks += sum_chunks_;
        sum_bytes_ = sum_chunks_ = 0;
    }

    /// Searches what is on the stack, and what that leads to.
    void follow() {
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
            memory_.read_pieces(pieces_, buffer_.first(total));
            const std::uint64_t* words = buffer_.words();
            for (const Piece& piece : pieces_) {
                search_piece(piece.address, {words, piece.length / 8});
                words += piece.length / 8;
            }
        }
    }

    void search_piece(std::uint64_t begin, std::span<const std::uint64_t> words) {
        const Locator::Filter may_be_pointer = filter_;
        for (std::size_t i = 0; i < words.size(); ++i) {
            Place place;
            if (!may_be_pointer(untagged(words[i]))) continue;
            const Lead lead = lead_of(words[i], place);
            if (lead == Lead::kNone || (lead == Lead::kNewer && !wants_newer())) continue;
            const bool may_be_stale = is_last_word(begin + 8 * i);
            if (lead == Lead::kNewer) {
                if (!may_be_stale) note_newer(words[i]);
                continue;
            }
            const bool sure = is_sure(words[i], place) && !may_be_stale;
            if (sure || any_word_counts_) {
                mark(place);
            } else {
                weak_[place.chunk] = true;
            }
        }
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
    const std::span<const AskedSize> asked_;
    const PassingWords* const passing_;  ///< null: the target is held
    const Locator locator_;
    const Locator::Filter filter_;
    const std::chrono::steady_clock::time_point deadline_;
    bool late_ = false;
    bool any_word_counts_ = false;
    std::vector<Span> stack_;
    std::vector<Piece> pieces_;
    PageBuffer buffer_;
    std::vector<bool> weak_;  ///< by chunk: a weak word points into it
    std::map<HolderKey, Holder> holders_;
    std::vector<std::uint64_t> newer_;  ///< words that may lead to a newer block
    bool too_many_newer_ = false;
    std::uint64_t sum_bytes_ = 0, sum_chunks_ = 0;
};

}  // namespace asrtrace::heap
