// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What an event costs the tracer behind the ring: decoding and booking, without symbols.
#include <benchmark/benchmark.h>

#include "bpf/event.h"
#include "user/decode/event.h"
#include "user/ledger/ledger.h"

namespace asrtrace {
namespace {

template <typename Record>
Bytes bytes_of(const Record& record) {
    return {reinterpret_cast<const std::uint8_t*>(&record), sizeof(record)};
}

/// An allocation and the free of one made `live` events before, over 200 stacks.
void alloc_and_free(benchmark::State& state) {
    ledger::Ledger ledger({});
    const auto live = static_cast<std::uint64_t>(state.range(0));
    wire::ev_alloc alloc{};
    alloc.h = {.tag = wire::EV_ALLOC, .flags = 0, .process = 0, .tid = 1, .time_ns = 1};
    alloc.function = wire::FN_MALLOC;
    alloc.size = 64;
    wire::ev_free free{};
    free.h = {.tag = wire::EV_FREE, .flags = 0, .process = 0, .tid = 1, .time_ns = 1};
    std::uint64_t i = 0;
    for (auto _ : state) {
        alloc.address = 0x100000 + 64 * i;
        alloc.stack = 1 + i % 200;
        ledger.apply(*decode::decode(bytes_of(alloc)));
        if (i >= live) {
            free.address = 0x100000 + 64 * (i - live);
            ledger.apply(*decode::decode(bytes_of(free)));
        }
        ++i;
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(2 * i));
}
BENCHMARK(alloc_and_free)->Arg(1)->Arg(10'000)->Arg(1'000'000);

}  // namespace
}  // namespace asrtrace

BENCHMARK_MAIN();
