// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/census.h"

#include <algorithm>
#include <thread>

#include "user/heap/copied_memory.h"
#include "user/heap/libraries.h"
#include "user/heap/priority.h"
#include "user/heap/process_memory.h"
#include "user/heap/stopped_process.h"
#include "user/heap/target.h"

namespace asrtrace::heap {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr unsigned kStepBacks = 2000;
constexpr unsigned kReachSnapshots = 3;
constexpr milliseconds kStopPatience{2000};

/// One census under way.
class Taking {
  public:
    Taking(pid_t pid, const CensusOptions& options)
        : pid_(pid), options_(options), begin_(Clock::now()) {
        deadline_ = begin_ + options.time_limit;
        cap_ = options.memory_cap_bytes != 0 ? options.memory_cap_bytes : memory_available() / 4;
    }

    CensusOutcome run() {
        const PriorityBoost boost(false);
        if (Status target = check_target(pid_); !target) return unavailable(target.error());
        auto memory = ProcessMemory::open(pid_);
        if (!memory) return unavailable(memory.error());
        memory_ = std::move(*memory);
        if (Status located = locate(); !located) return unavailable(located.error());
        Status taken = options_.stop ? take_stopped() : take_running();
        if (!taken) {
            if (failure_is_environment_) return unavailable(taken.error());
            return {std::nullopt,
                    {CensusFailure::Kind::kRejected, taken.error().message, rejected_}};
        }
        Census& census = *census_;
        census.rejected = rejected_;
        census.last_rejection = last_rejection_;
        census.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
        census.totals.pause_ms = std::chrono::duration<double, std::milli>(pause_).count();
        if (auto tids = list_threads(pid_)) census.threads = static_cast<unsigned>(tids->size());
        census.note = note_;
        return {std::move(census_), {}};
    }

  private:
    CensusOutcome unavailable(const Error& error) const {
        return {std::nullopt, {CensusFailure::Kind::kEnvironment, error.message, rejected_}};
    }

    Status locate() {
        // A target that runs may change what is compared: look a few times before saying no.
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < 4; ++attempt) {
            auto maps = read_maps(pid_);
            if (!maps) return maps.error();
            auto location = find_malloc(*memory_, *maps);
            if (location) {
                location_ = std::move(*location);
                const LibraryScan libraries = scan_libraries(*maps);
                if (!libraries.other_allocator.empty()) {
                    note_ = "memory of " + libraries.other_allocator + " is not in these figures";
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
    Status read_running(Snapshot& snapshot) {
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < options_.attempts && Clock::now() < deadline_;
             ++attempt) {
            if (attempt > 0) std::this_thread::sleep_for(milliseconds(1U << std::min(attempt, 7U)));
            auto maps = read_maps(pid_);
            if (!maps || maps->empty()) return ended();
            snapshot = Snapshot{};
            Status taken = take_snapshot(*memory_, std::move(*maps), location_,
                                         snapshot_options(false), snapshot);
            if (taken) taken = check_bins(snapshot, false);
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
        Snapshot snapshot;
        if (Status taken = read_running(snapshot); !taken) return taken;
        census_ = compute_census(snapshot, memory_->page_size());
        if (!options_.reach) return ok_status();
        std::optional<Reach> agreed;
        for (unsigned round = 0; round < kReachSnapshots; ++round) {
            if (round > 0) {
                std::this_thread::sleep_for(milliseconds(20));
                if (Status taken = read_running(snapshot); !taken) return taken;
            }
            auto reach = find_unreachable(*memory_, snapshot, peek_threads(pid_), deadline_);
            if (!reach) return reach.error();
            agreed = agreed ? intersect(*agreed, *reach) : std::move(*reach);
        }
        set_reach(std::move(*agreed));
        return ok_status();
    }

    Status take_stopped() {
        // A reading without a stop tells how much room is needed; if it fails the room is a guess.
        Snapshot rehearsal;
        auto maps = read_maps(pid_);
        if (!maps || maps->empty()) return ended();
        (void)take_snapshot(*memory_, std::move(*maps), location_, snapshot_options(false),
                            rehearsal);
        chunks_expected_ = rehearsal.chunks.size() + rehearsal.chunks.size() / 8 + 65536;
        links_expected_ = rehearsal.chunks.link_count() + rehearsal.chunks.link_count() / 4 + 65536;
        if (options_.reach) reserve_copy(rehearsal.residency);
        rehearsal = Snapshot{};
        Status last = ok_status();
        for (unsigned attempt = 0; attempt < options_.attempts && Clock::now() < deadline_;
             ++attempt) {
            if (attempt > 0) std::this_thread::sleep_for(milliseconds(3) * attempt);
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
        Snapshot snapshot;
        snapshot.chunks.prefault(std::min<std::size_t>(chunks_expected_, cap_ / 32),
                                 std::min<std::size_t>(links_expected_, cap_ / 32));
        std::optional<PriorityBoost> boost(std::in_place, true);
        auto stopped = StoppedProcess::stop(pid_, kStopPatience);
        if (!stopped) {
            failure_is_environment_ = true;
            return stopped.error();
        }
        const std::vector<ThreadState> threads = stopped->threads();
        auto maps = read_maps(pid_);
        if (!maps || maps->empty()) return ended();
        std::optional<Reach> reach;
        const bool copied = copy_held(*maps);
        Status taken = ok_status();
        if (!copied) taken = read_held(*maps, threads, snapshot, reach);
        pause_ += stopped->release();
        boost.reset();
        if (copied) {
            taken = take_snapshot(*copy_, std::move(*maps), location_, snapshot_options(true),
                                  snapshot);
        }
        if (taken && !reach) taken = check_bins(snapshot, true);
        if (taken && copied) taken = mark(*copy_, snapshot, threads, reach);
        if (!taken) return taken;
        census_ = compute_census(snapshot, memory_->page_size());
        census_->exact = true;
        if (copy_ != nullptr) census_->tracer_bytes += copy_->footprint();
        if (reach) set_reach(std::move(*reach));
        return ok_status();
    }

    /// Copies all that a walk and marking need; false if that is not wanted or does not fit.
    bool copy_held(const std::vector<MapsEntry>& maps) {
        if (!options_.reach || copy_ == nullptr) return false;
        auto residency = Residency::read(*memory_, maps);
        return residency.ok() && copy_->copy(*memory_, *residency);
    }

    /// Reads the held target itself, window by window.
    Status read_held(const std::vector<MapsEntry>& maps, const std::vector<ThreadState>& threads,
                     Snapshot& snapshot, std::optional<Reach>& reach) {
        Status taken = take_snapshot(*memory_, maps, location_, snapshot_options(true), snapshot);
        if (!taken || !options_.reach) return taken;
        // What is free must be known before marking, and marking needs the target.
        if (Status bins = check_bins(snapshot, true); !bins) return bins;
        return mark(*memory_, snapshot, threads, reach);
    }

    Status mark(TargetMemory& memory, Snapshot& snapshot, const std::vector<ThreadState>& threads,
                std::optional<Reach>& reach) {
        auto found = find_unreachable(memory, snapshot, threads, deadline_);
        if (!found) return found.error();
        reach = std::move(*found);
        return ok_status();
    }

    void set_reach(Reach reach) {
        if (reach.leaked.size() > options_.max_leaked) {
            std::stable_sort(reach.leaked.begin(), reach.leaked.end(),
                             [](const Leaked& a, const Leaked& b) { return a.bytes > b.bytes; });
            reach.leaked.resize(options_.max_leaked);
        }
        census_->reach = std::move(reach);
    }

    pid_t pid_;
    const CensusOptions& options_;
    Clock::time_point begin_;
    Clock::time_point deadline_;
    std::uint64_t cap_ = 0;
    std::unique_ptr<ProcessMemory> memory_;
    MallocLocation location_;
    std::unique_ptr<CopiedMemory> copy_;
    std::size_t chunks_expected_ = 0, links_expected_ = 0;
    std::chrono::nanoseconds pause_{0};
    std::optional<Census> census_;
    std::string note_;
    std::string last_rejection_;
    unsigned rejected_ = 0;
    bool failure_is_environment_ = false;
};

}  // namespace

CensusOutcome take_census(pid_t pid, const CensusOptions& options) {
    return Taking(pid, options).run();
}

}  // namespace asrtrace::heap
