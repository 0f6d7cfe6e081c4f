// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/symbol_thread.h"

#include "bpf/unwind.h"
#include "user/base/maps.h"

namespace asrtrace {

SymbolThread::SymbolThread(pid_t pid, capture::Unwinding unwinding)
    : pid_(pid), unwinding_(std::move(unwinding)), symbolizer_(pid) {
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
        for (const Work& work : in_.wait(std::chrono::milliseconds(500))) handle(work);
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
    // Code that was mapped a moment ago is known by the snapshot that came after.
    const bool fresh = (record.flags & UNWIND_UNKNOWN_MAPPING) != 0;
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
