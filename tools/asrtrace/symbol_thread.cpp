// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/symbol_thread.h"

#include <malloc.h>

#include "bpf/unwind.h"
#include "tools/asrtrace/clock.h"
#include "user/base/maps.h"

namespace asrtrace {
namespace {

/// A JIT compiler at work must not make us read the maps for every stack.
constexpr std::uint64_t kLookAgainNs = 200'000'000;
constexpr std::size_t kSymbolMemoryBytes = std::size_t{24} << 20;

}  // namespace

SymbolThread::SymbolThread(pid_t pid, capture::Unwinding unwinding, bool debuginfod)
    : pid_(pid),
      unwinding_(std::move(unwinding)),
      symbolizer_(pid, {.debuginfod = debuginfod, .root = {}, .memory_bytes = kSymbolMemoryBytes}) {
    look_at_mappings();
    thread_ = std::thread([this] { run(); });
}

SymbolThread::~SymbolThread() {
    finish();
}

std::vector<SymbolizedStack> SymbolThread::finish() {
    in_.close();
    if (thread_.joinable()) thread_.join();
    return out_.take();
}

void SymbolThread::run() {
    for (;;) {
        const bool last = in_.closed();
        const std::vector<Work> batch = in_.wait(std::chrono::milliseconds(500));
        for (const Work& work : batch) handle(work);
        // Reading DWARF leaves tens of megabytes of free chunks in this thread's arena.
        if (!batch.empty()) ::malloc_trim(0);
        if (last) return;
    }
}

void SymbolThread::handle(const Work& work) {
    if (const auto* stack = std::get_if<RawStack>(&work)) {
        out_.post(symbolize(*stack));
    } else {
        look_at_mappings();
    }
}

void SymbolThread::look_at_mappings() {
    looked_ns_ = monotonic_ns();
    const auto maps = read_maps(pid_);
    // After the target's end the last snapshot stays the newest.
    if (!maps || maps->empty()) return;
    const auto update = unwinding_.update(*maps);
    if (!update) {
        problems_.push_back(update.error().message);
        return;
    }
    problems_.insert(problems_.end(), update->problems.begin(), update->problems.end());
    generation_ = update->generation;
    symbolizer_.add_mappings(generation_, *maps);
}

SymbolizedStack SymbolThread::symbolize(const RawStack& stack) {
    const wire::stack_record& record = stack.record;
    // Code that was mapped a moment ago, or made executable by a JIT compiler, is known by the
    // snapshot that comes after.
    const bool fresh = (record.flags & UNWIND_UNKNOWN_MAPPING) != 0;
    if (fresh && monotonic_ns() - looked_ns_ >= kLookAgainNs) look_at_mappings();
    const std::uint32_t generation = fresh ? generation_ : record.generation;
    SymbolizedStack out{.id = stack.id,
                        .flags = record.flags & (ledger::kStackTruncated | ledger::kStackHeuristic),
                        .frames = {}};
    for (std::uint32_t i = 0; i < record.depth && i < wire::STACK_MAX_DEPTH; ++i) {
        if (record.pcs[i] == 0) continue;
        for (const auto& frame : symbolizer_.lookup(generation, record.pcs[i], i > 0)) {
            out.frames.push_back({.function = frame.function,
                                  .file = frame.file,
                                  .line = frame.line,
                                  .module = frame.module,
                                  .module_offset = frame.module_offset,
                                  .inlined = frame.inlined});
        }
    }
    return out;
}

}  // namespace asrtrace
