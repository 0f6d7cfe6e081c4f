// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/heap_thread.h"

#include <algorithm>
#include <utility>

#include "tools/asrtrace/clock.h"
#include "user/base/smaps.h"
#include "user/heap/confinement.h"
#include "user/heap/mapping_books.h"

namespace asrtrace {
namespace {

constexpr std::chrono::milliseconds kLookUp{1000};
constexpr std::chrono::milliseconds kTimeLimit{20000};
/// Of a marking, which reads all of the heap in each: where the target is always quicker, the next
/// one has better chances than a fifth attempt.
constexpr unsigned kMarkingAttempts = 4;
constexpr std::size_t kArenasKept = 64;

heap::CensusOptions limits() {
    heap::CensusOptions options;
    options.time_limit = kTimeLimit;
    return options;
}

std::vector<ledger::Arena> arenas_of(const heap::Census& census) {
    std::vector<ledger::Arena> arenas;
    for (const heap::ArenaFigures& from : census.arenas) {
        ledger::Arena arena{.address = from.id,
                            .heaps = from.heaps.size(),
                            .size = from.size,
                            .in_use = from.in_use,
                            .resident_free = from.resident_free,
                            .releasable = from.releasable};
        // A pin that the program has freed is held by a thread's cache: nobody's site.
        arena.pin_address = from.pin.in_tcache ? 0 : from.pin.address;
        arena.pin_bytes = from.pin.in_tcache ? 0 : from.pin.bytes;
        arenas.push_back(arena);
    }
    std::stable_sort(arenas.begin(), arenas.end(), [](const auto& a, const auto& b) {
        return a.resident_free > b.resident_free;
    });
    arenas.resize(std::min(arenas.size(), kArenasKept));
    return arenas;
}

void add_heap_figures(const heap::Census& census, ledger::Reading& reading) {
    reading.books.heap_live = census.books.live;
    reading.books.heap_retained = census.books.retained;
    reading.books.heap_overhead = census.books.overhead;
    reading.retained_top = census.books.retained_top;
    reading.retained_tcache = census.books.retained_tcache;
    reading.retained_large = census.books.retained_large;
    if (!census.arenas.empty()) reading.retained_main = census.arenas.front().resident_free;
    reading.releasable = census.totals.releasable;
    reading.in_use = census.totals.in_use;
    reading.system = census.totals.system;
    reading.mmapped_bytes = census.totals.mmapped_bytes;
    reading.mmapped_chunks = census.totals.mmapped_chunks;
    reading.live_chunks = census.totals.live_chunks;
    reading.arenas = census.arenas.size();
    reading.mmap_threshold = census.totals.mmap_threshold;
    reading.trim_threshold = census.totals.trim_threshold;
    reading.threads = census.threads;
    reading.rejected = census.rejected;
}

void add_mapping_figures(const heap::MappingBooks& from, ledger::Reading& reading) {
    reading.books.stack = from.stack;
    reading.stack_cached = from.stack_cached;
    reading.books.anon_mapped = from.anon_mapped;
    reading.books.image = from.image;
    reading.books.unexplained = static_cast<std::int64_t>(from.anonymous) - reading.books.total();
}

std::uint64_t rejected_of(const heap::CensusOutcome& taken) {
    return taken.census ? taken.census->rejected : taken.failure.rejected;
}

}  // namespace

HeapThread::HeapThread(pid_t pid, std::uint64_t start_ns)
    : pid_(pid),
      start_ns_(start_ns),
      reader_(pid, limits()),
      thread_(heap::reader_confinement(), [this] { run(); }) {}

HeapThread::~HeapThread() {
    in_.close();
    thread_.join();
}

void HeapThread::order(HeapOrder order) {
    ++open_orders_;
    in_.post(std::move(order));
}

std::vector<HeapOutcome> HeapThread::take() {
    std::vector<HeapOutcome> outcomes = out_.take();
    open_orders_ -= outcomes.size();
    return outcomes;
}

void HeapThread::run() {
    while (!in_.closed())
        for (HeapOrder& order : in_.wait(kLookUp)) out_.post(read(std::move(order)));
}

HeapOutcome HeapThread::read(HeapOrder order) {
    HeapOutcome outcome;
    const std::uint64_t begin_ns = monotonic_ns();
    const std::uint64_t begin_cpu_ns = thread_cpu_ns();
    heap::CensusOutcome taken;
    if (order.reach) {
        heap::CensusOptions options = limits();
        options.reach = true;
        options.attempts = kMarkingAttempts;
        std::ranges::sort(order.asked, {}, &heap::AskedSize::address);
        taken = heap::HeapReader(pid_, options).take(std::exchange(order.asked, {}));
    }
    outcome.order = std::move(order);
    // The books want a reading of one moment; marking may have failed where a census does not.
    const auto reach = taken.census ? std::move(taken.census->reach) : std::nullopt;
    outcome.rejected = rejected_of(taken);
    outcome.reach_failure = taken.failure.reason;
    const std::uint64_t reach_ns = monotonic_ns();
    const std::uint64_t reach_end_cpu_ns = thread_cpu_ns();
    outcome.reach_cpu_ns = reach_end_cpu_ns - begin_cpu_ns;
    taken = reader_.take();
    outcome.reading_cpu_ns = thread_cpu_ns() - reach_end_cpu_ns;
    outcome.rejected += rejected_of(taken);
    if (!taken.census) {
        outcome.failure = taken.failure.reason;
        outcome.target_was_quicker = taken.failure.kind == heap::CensusFailure::Kind::kRejected;
        return outcome;
    }
    fill(*taken.census, outcome);
    if (!outcome.reading) return outcome;
    outcome.reading->duration_ns = monotonic_ns() - reach_ns;
    outcome.reading_cpu_ns = thread_cpu_ns() - reach_end_cpu_ns;
    if (!reach) return outcome;
    outcome.reach = ledger::ReachReading{.t_ns = begin_ns - start_ns_,
                                         .requests = outcome.order.requests,
                                         .unreachable_bytes = reach->unreachable_bytes,
                                         .unreachable_chunks = reach->unreachable_chunks,
                                         .duration_ns = reach_ns - begin_ns};
    std::vector<ledger::LostBlock> lost;
    lost.reserve(reach->leaked.size());
    for (const heap::Leaked& leaked : reach->leaked) lost.push_back({leaked.address, leaked.bytes});
    outcome.marking = ledger::make_marking(std::move(lost), outcome.order.serial, lost_before_);
    return outcome;
}

void HeapThread::fill(const heap::Census& census, HeapOutcome& outcome) {
    const auto smaps = read_smaps(pid_);
    if (!smaps) {
        outcome.failure = smaps.error().message;
        return;
    }
    ledger::Reading reading;
    reading.t_ns = monotonic_ns() - start_ns_;
    reading.requests = outcome.order.requests;
    reading.in_flight = outcome.order.in_flight;
    add_heap_figures(census, reading);
    const auto resident = [this](std::uint64_t begin, std::uint64_t end) {
        return reader_.resident_bytes(begin, end);
    };
    add_mapping_figures(
        heap::mapping_books(*smaps, census.ranges, reader_.thread_stacks(), resident), reading);
    outcome.reading = reading;
    outcome.arenas = arenas_of(census);
    outcome.classes.reserve(census.classes.size());
    for (const heap::SizeClass& each : census.classes)
        outcome.classes.push_back({each.upper, each.chunks});
}

}  // namespace asrtrace
