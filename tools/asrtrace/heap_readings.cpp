// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/heap_readings.h"

#include <limits>
#include <utility>
#include <vector>

#include "tools/asrtrace/clock.h"

namespace asrtrace {
namespace {

/// How long the end of a run waits for its last reading of the heap.
constexpr std::uint64_t kLastReadingNs = 30'000'000'000;
/// Lost blocks that are booked before the ring is drained again: a few dozen milliseconds.
constexpr std::size_t kBookedAtOnce = 1 << 17;

}  // namespace

void HeapReadings::order(std::uint64_t now_ns, bool reach) {
    HeapOrder order{.reach = reach || schedule_.reach_due(now_ns),
                    .requests = ledger_.requests_completed(),
                    .in_flight = ledger_.in_flight(),
                    .serial = ledger_.serial()};
    if (order.reach)
        for (const auto& [address, size] : ledger_.outlived_blocks())
            order.asked.push_back({address, size});
    thread_.order(std::move(order));
}

void HeapReadings::order_if_due(std::uint64_t now_ns) {
    if (idle() && schedule_.due(now_ns, ledger_.in_flight())) order(now_ns, false);
}

void HeapReadings::add(HeapOutcome& outcome) {
    was_read_ = true;
    std::vector<ledger::Arena> arenas = std::move(outcome.arenas);
    for (ledger::Arena& arena : arenas) arena.pin_stack = ledger_.stack_of(arena.pin_address);
    writer_.add_reading(*outcome.reading, std::move(arenas));
    listener_(*outcome.reading);
    ledger_.read_heap(outcome.classes, outcome.order.in_flight == 0);
    if (outcome.reach) booking_ = Booking{*outcome.reach, std::move(outcome.marking)};
}

void HeapReadings::book(std::size_t most) {
    auto& [reach, marking] = *booking_;
    if (!ledger_.book(marking, most)) return;
    was_marked_ = true;
    reach.unmatched_bytes = marking.unmatched.bytes;
    reach.unmatched_chunks = marking.unmatched.chunks;
    writer_.add_reach(reach);
    if (const auto sizes = leaking_.next(marking.sizes)) leak_listener_(*sizes);
    booking_.reset();
}

void HeapReadings::take() {
    for (HeapOutcome& outcome : thread_.take()) {
        const std::uint64_t now_ns = monotonic_ns();
        rejected_ += outcome.rejected;
        last_failure_ = outcome.failure;
        if (outcome.order.reach) last_reach_failure_ = outcome.reach_failure;
        if (outcome.reading) add(outcome);
        if (outcome.reading || outcome.target_was_quicker) {
            schedule_.reading_took(now_ns, outcome.reading_cpu_ns);
        } else {
            schedule_.reading_failed(now_ns);
        }
        // A marking that failed has cost as much as one that did not.
        if (outcome.order.reach) schedule_.reach_took(now_ns, outcome.reach_cpu_ns);
    }
    if (booking_) book(kBookedAtOnce);
}

void HeapReadings::take_last(const std::function<bool()>& wait) {
    const std::uint64_t deadline_ns = monotonic_ns() + kLastReadingNs;
    bool ordered = false;
    while (monotonic_ns() < deadline_ns && wait()) {
        take();
        if (!idle()) continue;
        if (ordered) return;
        ordered = true;
        order(monotonic_ns(), true);
    }
    if (booking_) book(std::numeric_limits<std::size_t>::max());
}

std::string HeapReadings::failure() const {
    if (was_read_) return {};
    return last_failure_.empty() ? "the target ended too soon" : last_failure_;
}

std::string HeapReadings::reach_failure() const {
    return was_read_ && !was_marked_ ? last_reach_failure_ : std::string{};
}

}  // namespace asrtrace
