// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/mapping_books.h"

#include <algorithm>

namespace asrtrace::heap {
namespace {

/// A stretch of a mapping that malloc or a thread owns.
struct Owned {
    enum class Owner : std::uint8_t { kMalloc, kThread, kEndedThread };
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Owner owner = Owner::kMalloc;
};

std::vector<Owned> owned_stretches(const std::vector<MallocRange>& ranges,
                                   const std::vector<ThreadBlock>& threads) {
    std::vector<Owned> all;
    all.reserve(ranges.size() + threads.size());
    for (const MallocRange& range : ranges)
        all.push_back({range.begin, range.end, Owned::Owner::kMalloc});
    for (const ThreadBlock& thread : threads)
        if (thread.stack_end > thread.stack_begin)
            all.push_back({thread.stack_begin, thread.stack_end,
                           thread.alive ? Owned::Owner::kThread : Owned::Owner::kEndedThread});
    std::sort(all.begin(), all.end(),
              [](const Owned& a, const Owned& b) { return a.begin < b.begin; });
    return all;
}

/// The bytes behind a file's last page that its .bss needs are an anonymous mapping of their own
/// (fs/binfmt_elf.c, set_brk; the loader does the same).
bool is_bss(const std::vector<SmapsEntry>& smaps, std::size_t i) {
    const MapsEntry& mapping = smaps[i].mapping;
    if (i == 0 || !mapping.path.empty()) return false;
    const MapsEntry& before = smaps[i - 1].mapping;
    return before.end == mapping.begin && before.is_file() && !before.shared;
}

class Split {
  public:
    Split(const std::vector<SmapsEntry>& smaps, std::vector<Owned> owned,
          const ResidentBytes& resident)
        : smaps_(smaps), owned_(std::move(owned)), resident_(resident) {}

    MappingBooks run() {
        for (std::size_t i = 0; i < smaps_.size(); ++i) {
            books_.anonymous += smaps_[i].anonymous;
            if (smaps_[i].anonymous != 0) add(i);
        }
        return books_;
    }

  private:
    void add(std::size_t i) {
        const MapsEntry& mapping = smaps_[i].mapping;
        std::uint64_t& rest = mapping.path == "[stack]"                ? books_.stack
                              : mapping.is_file() || is_bss(smaps_, i) ? books_.image
                                                                       : books_.anon_mapped;
        auto next = std::partition_point(owned_.begin(), owned_.end(), [&](const Owned& owned) {
            return owned.end <= mapping.begin;
        });
        if (next == owned_.end() || next->begin >= mapping.end) {
            rest += smaps_[i].anonymous;
            return;
        }
        std::uint64_t cursor = mapping.begin;
        for (; next != owned_.end() && next->begin < mapping.end; ++next) {
            if (next->begin > cursor) rest += resident_(cursor, next->begin);
            const std::uint64_t begin = std::max(next->begin, cursor);
            const std::uint64_t end = std::min(next->end, mapping.end);
            if (end > begin) add_owned(next->owner, begin, end);
            cursor = std::max(cursor, end);
        }
        if (cursor < mapping.end) rest += resident_(cursor, mapping.end);
    }

    void add_owned(Owned::Owner owner, std::uint64_t begin, std::uint64_t end) {
        if (owner == Owned::Owner::kMalloc) return;  // in the census's books
        const std::uint64_t bytes = resident_(begin, end);
        books_.stack += bytes;
        if (owner == Owned::Owner::kEndedThread) books_.stack_cached += bytes;
    }

    const std::vector<SmapsEntry>& smaps_;
    std::vector<Owned> owned_;
    const ResidentBytes& resident_;
    MappingBooks books_;
};

}  // namespace

MappingBooks mapping_books(const std::vector<SmapsEntry>& smaps,
                           const std::vector<MallocRange>& ranges,
                           const std::vector<ThreadBlock>& threads, const ResidentBytes& resident) {
    return Split(smaps, owned_stretches(ranges, threads), resident).run();
}

}  // namespace asrtrace::heap
