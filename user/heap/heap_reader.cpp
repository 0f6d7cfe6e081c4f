// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/heap_reader.h"

#include <algorithm>
#include <thread>

#include "user/heap/copied_memory.h"
#include "user/heap/epoll_data.h"
#include "user/heap/libraries.h"
#include "user/heap/paced_memory.h"
#include "user/heap/priority.h"
#include "user/heap/stopped_process.h"
#include "user/heap/target.h"

namespace asrtrace::heap {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned kStepBacks = 2000;
constexpr unsigned kReachSnapshots = 3;
constexpr milliseconds kStopPatience{2000};
constexpr milliseconds kPeekPatience{100};
/// A heap of which a reading takes a few dozen milliseconds.
constexpr std::uint64_t kShortReadingBytes = 128 << 20;

}  // namespace

/// One census under way.
class HeapReader::Taking {
  public:
    Taking(HeapReader& reader, std::span<const AskedSize> asked)
        : reader_(reader),
          asked_(asked),
          pid_(reader.pid_),
          options_(reader.options_),
          snapshot_(reader.snapshot_),
          begin_(Clock::now()) {
        deadline_ = begin_ + options_.time_limit;
        cap_ = options_.memory_cap_bytes != 0 ? options_.memory_cap_bytes : memory_available() / 4;
    }

    CensusOutcome run() {
        reader_.has_reading_ = false;
        Status taken = open();
        failure_is_environment_ = !taken;
        if (taken) taken = options_.stop ? take_stopped() : take_running();
        if (!taken) {
            using Kind = CensusFailure::Kind;
            const Kind kind = failure_is_environment_ ? Kind::kEnvironment : Kind::kRejected;
            return {std::nullopt, {kind, taken.error().message, rejected_}};
        }
        reader_.has_reading_ = true;
        Census& census = *census_;
        census.rejected = rejected_;
        census.last_rejection = last_rejection_;
        census.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        census.totals.pause_ms = std::chrono::duration<double, std::milli>(pause_).count();
        if (auto tids = list_threads(pid_)) census.threads = static_cast<unsigned>(tids->size());
        census.note = reader_.note_;
        return {std::move(census_), {}};
    }

  private:
    /// Opens the target's memory, which an exec replaces, and looks for malloc if that has moved.
    Status open() {
        if (Status target = check_target(pid_); !target) return target;
        auto memory = ProcessMemory::open(pid_);
        if (!memory) return memory.error();
        reader_.memory_ = std::move(*memory);
        auto maps = read_maps(pid_);
        if (!maps) return maps.error();
        const MapsEntry* home = find_mapping(*maps, reader_.location_.main_arena);
        const MapsEntry& known = reader_.home_;
        const bool same = home != nullptr && home->begin == known.begin &&
                          home->inode == known.inode && home->path == known.path;
        return same ? ok_status() : locate();
    }

    ProcessMemory& memory() { return *reader_.memory_; }

    Status locate() {
        // A target that runs may change what is compared: look a few times before saying no.
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < 4; ++attempt) {
            auto maps = read_maps(pid_);
            if (!maps) return maps.error();
            auto location = find_malloc(memory(), *maps);
            // Slower than the search (dozens of milliseconds), which needs to know the layout.
            if (!location) {
                if (const auto debug = debug_layout_of(pid_, *maps)) {
                    if (auto there = find_malloc_at(memory(), *maps, *debug)) location = there;
                }
            }
            if (location) {
                reader_.location_ = std::move(*location);
                const MapsEntry* home = find_mapping(*maps, reader_.location_.main_arena);
                reader_.home_ = home != nullptr ? *home : MapsEntry{};
                const LibraryScan libraries = scan_libraries(*maps);
                reader_.note_.clear();
                if (!libraries.other_allocator.empty()) {
                    reader_.note_ =
                        "memory of " + libraries.other_allocator + " is not in these figures";
                }
                return ok_status();
            }
            last = location.error();
            std::this_thread::sleep_for(milliseconds(2));
        }
        return last;
    }

    void reject(const Status& why) {
        ++rejected_;
        last_rejection_ = why.error().message;
    }

    SnapshotOptions snapshot_options(bool still) const {
        SnapshotOptions options;
        options.still = still;
        options.limits.deadline = deadline_;
        options.limits.max_record_bytes = cap_ / 2;
        options.limits.step_backs = still ? 0 : kStepBacks;
        return options;
    }

    /// Reads the running target until a reading holds.
    Status read_running() {
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < options_.attempts && Clock::now() < deadline_;
             ++attempt) {
            if (attempt > 0) std::this_thread::sleep_for(milliseconds(1U << std::min(attempt, 7U)));
            auto maps = read_maps(pid_);
            if (!maps || maps->empty()) return ended();
            snapshot_.reset();
            // Short readings are made at once. So are those that others must agree with, and those
            // for which the target was too quick before.
            const bool brief = rss_bytes(pid_) <= kShortReadingBytes;
            const bool paced = !brief && !options_.reach && attempt == 0;
            std::optional<PriorityBoost> boost;
            if (brief) boost.emplace(false);
            PacedMemory with_breaks(memory());
            TargetMemory& source = paced ? static_cast<TargetMemory&>(with_breaks) : memory();
            Status taken = take_snapshot(source, std::move(*maps), reader_.location_,
                                         snapshot_options(false), snapshot_);
            boost.reset();
            if (taken) taken = check_bins(snapshot_, false);
            if (taken) return taken;
            last = taken;
            reject(taken);
        }
        return last.ok() ? Status(Error{"the time limit passed"}) : last;
    }

    Status ended() {
        failure_is_environment_ = true;
        return Error{"process " + std::to_string(pid_) + " ended while its heap was read"};
    }

    Status take_running() {
        if (Status taken = read_running(); !taken) return taken;
        census_ = compute_census(snapshot_, memory().page_size());
        if (!options_.reach) return ok_status();
        std::optional<Reach> agreed;
        PassingWords passing;
        std::size_t words_kept = 0;
        passing.most = std::min<std::uint64_t>(passing.most, cap_ / 64);
        for (unsigned round = 0; round < kReachSnapshots; ++round) {
            if (round > 0) {
                std::this_thread::sleep_for(milliseconds(20));
                if (Status taken = read_running(); !taken) return taken;
            }
            passing.first = round == 0;
            passing.wanted = round + 1 < kReachSnapshots;
            snapshot_.kernel_words = read_epoll_data(pid_, epoll_files_of(pid_));
            auto reach = find_unreachable(memory(), snapshot_, peek_threads(pid_, kPeekPatience),
                                          asked_, &passing, deadline_);
            if (!reach) return reach.error();
            agreed = agreed ? intersect(*agreed, *reach) : std::move(*reach);
            words_kept = std::max(words_kept, passing.words.capacity());
        }
        // Of two readings at a time.
        census_->tracer_bytes += 2 * words_kept * sizeof(std::uint64_t);
        set_reach(std::move(*agreed));
        return ok_status();
    }

    Status take_stopped() {
        // A reading without a stop tells how much room is needed; if it fails the room is a guess.
        snapshot_.reset();
        auto maps = read_maps(pid_);
        if (!maps || maps->empty()) return ended();
        (void)take_snapshot(memory(), std::move(*maps), reader_.location_, snapshot_options(false),
                            snapshot_);
        const ChunkTable& chunks = snapshot_.chunks;
        chunks_expected_ = chunks.size() + chunks.size() / 8 + 65536;
        links_expected_ = chunks.link_count() + chunks.link_count() / 4 + 65536;
        if (options_.reach) reserve_copy(snapshot_.residency);
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < options_.attempts && Clock::now() < deadline_;
             ++attempt) {
            // On a busy machine a thread that was caught inside malloc needs long to come out of
            // it.
            if (attempt > 0) std::this_thread::sleep_for(milliseconds(3U << std::min(attempt, 6U)));
            last = read_stopped();
            if (last.ok() || failure_is_environment_) return last;
            reject(last);
            // Only a heap caught inside malloc is better the next time.
            if (attempt >= 4 && last.error().message.starts_with("inconclusive")) break;
        }
        return last;
    }

    void reserve_copy(const Residency& residency) {
        const std::uint64_t needed = CopiedMemory::needed(residency);
        const std::uint64_t wanted = needed + needed / 16 + (16 << 20);
        if (wanted > cap_ / 2) return;  // too much: marking reads the target in slices in the pause
        if (auto copy = CopiedMemory::reserve(wanted)) copy_ = std::move(*copy);
    }

    Status read_stopped() {
        snapshot_.reset();
        snapshot_.chunks.prefault(std::min<std::size_t>(chunks_expected_, cap_ / 32),
                                  std::min<std::size_t>(links_expected_, cap_ / 32));
        // Who is held on the way to a system call has words on its stack that it is done with, and
        // one of them keeps all that hangs on it: better where every thread was seen asleep.
        std::vector<int> epoll_files;
        if (options_.reach) {
            (void)peek_threads(pid_, kPeekPatience);
            epoll_files = epoll_files_of(pid_);
        }
        std::optional<PriorityBoost> boost(std::in_place, true);
        auto stopped = StoppedProcess::stop(pid_, kStopPatience);
        if (!stopped) {
            failure_is_environment_ = true;
            return stopped.error();
        }
        const std::vector<ThreadState> threads = stopped->threads();
        snapshot_.kernel_words = read_epoll_data(pid_, epoll_files);
        auto maps = read_maps(pid_);
        if (!maps || maps->empty()) return ended();
        std::optional<Reach> reach;
        const bool copied = copy_held(*maps);
        Status taken = ok_status();
        if (!copied) taken = read_held(*maps, threads, reach);
        pause_ += stopped->release();
        boost.reset();
        if (copied) {
            taken = take_snapshot(*copy_, std::move(*maps), reader_.location_,
                                  snapshot_options(true), snapshot_);
        }
        if (taken && !reach) taken = check_bins(snapshot_, true);
        if (taken && copied) taken = mark(*copy_, threads, reach);
        if (!taken) return taken;
        census_ = compute_census(snapshot_, memory().page_size());
        census_->exact = true;
        if (copy_ != nullptr) census_->tracer_bytes += copy_->footprint();
        if (reach) set_reach(std::move(*reach));
        return ok_status();
    }

    /// Copies all that a walk and marking need; false if that is not wanted or does not fit.
    bool copy_held(const std::vector<MapsEntry>& maps) {
        if (!options_.reach || copy_ == nullptr) return false;
        auto residency = Residency::read(memory(), maps);
        return residency.ok() && copy_->copy(memory(), *residency);
    }

    /// Reads the held target itself, window by window.
    Status read_held(const std::vector<MapsEntry>& maps, const std::vector<ThreadState>& threads,
                     std::optional<Reach>& reach) {
        Status taken =
            take_snapshot(memory(), maps, reader_.location_, snapshot_options(true), snapshot_);
        if (!taken || !options_.reach) return taken;
        // What is free must be known before marking, and marking needs the target.
        if (Status bins = check_bins(snapshot_, true); !bins) return bins;
        return mark(memory(), threads, reach);
    }

    Status mark(TargetMemory& memory, const std::vector<ThreadState>& threads,
                std::optional<Reach>& reach) {
        auto found = find_unreachable(memory, snapshot_, threads, asked_, nullptr, deadline_);
        if (!found) return found.error();
        reach = std::move(*found);
        return ok_status();
    }

    void set_reach(Reach reach) {
        find_likely(reach);
        for (std::vector<Leaked>* list : {&reach.leaked, &reach.weak}) {
            if (list->size() <= options_.max_leaked) continue;
            std::stable_sort(list->begin(), list->end(), [](const Leaked& a, const Leaked& b) {
                return a.likely != b.likely ? a.likely : a.bytes > b.bytes;
            });
            list->resize(options_.max_leaked);
        }
        census_->reach = std::move(reach);
    }

    HeapReader& reader_;
    const std::span<const AskedSize> asked_;
    const pid_t pid_;
    const CensusOptions& options_;
    Snapshot& snapshot_;
    Clock::time_point begin_;
    Clock::time_point deadline_;
    std::uint64_t cap_ = 0;
    std::unique_ptr<CopiedMemory> copy_;
    std::size_t chunks_expected_ = 0, links_expected_ = 0;
    std::chrono::nanoseconds pause_{0};
    std::optional<Census> census_;
    std::string last_rejection_;
    unsigned rejected_ = 0;
    bool failure_is_environment_ = false;
};

CensusOutcome HeapReader::take(std::span<const AskedSize> asked) {
    return Taking(*this, asked).run();
}

std::vector<std::uint64_t> HeapReader::live_bytes_at(
    std::span<const std::uint64_t> addresses) const {
    std::vector<std::uint64_t> bytes(addresses.size());
    if (!has_reading_) return bytes;
    const ChunkTable& chunks = snapshot_.chunks;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const std::uint64_t chunk = addresses[i] - kChunkHeader;
        const Segment* segment = find_segment(snapshot_.segments, chunk);
        if (segment == nullptr) continue;
        const auto index = chunks.find(*segment, chunk);
        if (!index || chunks.address(*index) != chunk || chunks.is(*index, kFreed)) continue;
        bytes[i] = chunks.bytes(*segment, *index);
    }
    return bytes;
}

void HeapReader::visit_live(
    const std::function<void(std::uint64_t address, std::uint64_t bytes)>& visit) const {
    if (!has_reading_) return;
    const ChunkTable& chunks = snapshot_.chunks;
    for (const Segment& segment : snapshot_.segments) {
        for (std::size_t i = segment.chunk_begin; i < segment.chunk_end; ++i) {
            if (chunks.is(i, kFreed)) continue;
            visit(chunks.address(i) + kChunkHeader, chunks.bytes(segment, i));
        }
    }
}

std::vector<ThreadBlock> HeapReader::thread_stacks() {
    if (!has_reading_) return {};
    std::vector<ThreadBlock> blocks =
        find_thread_blocks(*memory_, snapshot_, peek_threads(pid_, {}));
    std::erase_if(blocks, [](const ThreadBlock& block) { return block.stack_end == 0; });
    return blocks;
}

void HeapReader::forget() {
    snapshot_ = Snapshot{};
    has_reading_ = false;
}

}  // namespace asrtrace::heap
