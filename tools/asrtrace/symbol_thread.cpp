// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/symbol_thread.h"

#include <malloc.h>

#include <algorithm>
#include <future>
#include <new>

#include "bpf/unwind.h"
#include "tools/asrtrace/clock.h"
#include "user/base/maps.h"

namespace asrtrace {
namespace {

/// A JIT compiler at work must not make us read the maps for every stack.
constexpr std::uint64_t kLookAgainNs = 200'000'000;
/// Tables are built by several threads, and lie in BPF maps.
constexpr Confinement kSymbols{
    .name = "symbols",
    .capabilities = kReadingCapabilities | capability_set(Capability::kBpf),
    .opens_files = true,
    .reads_processes = true,  // the vdso
    .starts_threads = true,
    .fills_bpf_maps = true,
    .makes_nameless_files = true};  // for debug sections that are compressed
constexpr std::size_t kSymbolMemoryBytes = std::size_t{24} << 20;
/// Of one stack, inlined ones included: a file may claim 256 of them at each address.
constexpr std::size_t kMaxFrames = 1024;
constexpr std::size_t kMaxProblems = 16;
/// Stacks come soon after their generation: of one that a thousand others followed none will.
constexpr std::size_t kMaxSuperseded = 1024;

}  // namespace

SymbolThread::SymbolThread(pid_t pid, capture::Unwinding unwinding, bool debuginfod)
    : unwinding_(std::move(unwinding)), debuginfod_(debuginfod) {
    processes_[0].pid = pid;
    std::packaged_task<void()> look([this] { look_at_mappings(processes_[0]); });
    auto looked = look.get_future();
    thread_ = ConfinedThread(kSymbols, [this, look = std::move(look)]() mutable {
        look();
        run();
    });
    try {
        looked.get();
    } catch (...) {  // no more threads
        finish();
        throw;
    }
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
        const auto wait = std::chrono::milliseconds(naming_.empty() ? 500 : 0);
        for (const Work& work : in_.wait(wait)) {
            std::visit([this](const auto& part) { on(part); }, work);
        }
        if (!naming_.empty()) {
            name_next();
            // Reading DWARF leaves tens of megabytes of free chunks in this thread's arena.
            if (naming_.empty()) ::malloc_trim(0);
        } else if (last) {
            return;
        }
    }
}

void SymbolThread::name_next() {
    const auto* stack = std::get_if<RawStack>(&naming_.front());
    if (stack != nullptr) {
        try {
            out_.post(symbolize(*stack));
        } catch (const std::bad_alloc&) {  // tables of DWARF are the largest that we make
            out_.post({.id = stack->id, .flags = ledger::kStackFailed, .frames = {}});
        }
    }
    naming_.pop_front();
    if (stack == nullptr) {
        std::erase_if(by_generation_, [](const auto& entry) { return entry.second.expired(); });
    }
}

void SymbolThread::on(const MappingsChanged& change) {
    const auto process = processes_.find(change.process);
    if (process != processes_.end()) look_at_mappings(process->second);
}

void SymbolThread::on(const Forked& fork) {
    Process& child = processes_[fork.child];
    child.pid = fork.pid;
    // Its own tables, before its parent's change.
    look_at_mappings(child);
}

void SymbolThread::on(const Execed& exec) {
    const auto found = processes_.find(exec.process);
    if (found == processes_.end()) return;
    Process& process = found->second;
    unwinding_.forget(process.pid);
    naming_.emplace_back(std::exchange(process.symbolizer, nullptr));
    process.generation = 0;
    process.borrowed = false;
    look_at_mappings(process);
}

void SymbolThread::on(const Ended& end) {
    const auto found = processes_.find(end.process);
    if (found == processes_.end()) return;
    unwinding_.forget(found->second.pid);
    naming_.emplace_back(std::move(found->second.symbolizer));
    processes_.erase(found);
}

/// One symbolizer serves a process and the forked children that are still like it. Snapshots are
/// added by its owner alone: a borrower whose mappings change gets one of its own.
void SymbolThread::choose_symbolizer(Process& process, const capture::UnwindingUpdate& update) {
    const bool first = !process.symbolizer;
    if (first) {
        const auto twin = by_generation_.find(update.generation);
        if (twin != by_generation_.end()) process.symbolizer = twin->second.lock();
        process.borrowed = process.symbolizer != nullptr;
    }
    if (!process.symbolizer || (process.borrowed && !first && update.changed)) {
        const symbols::SymbolizerOptions options{
            .debuginfod = debuginfod_, .root = {}, .memory_bytes = kSymbolMemoryBytes};
        process.symbolizer = std::make_shared<symbols::Symbolizer>(process.pid, options);
        process.borrowed = false;
    }
    by_generation_[update.generation] = process.symbolizer;
    if (process.generation != 0 && process.generation != update.generation)
        supersede(process.generation);
    process.generation = update.generation;
}

/// No process of a target that maps code for ever may cost memory for ever.
void SymbolThread::supersede(std::uint32_t generation) {
    superseded_.push_back(generation);
    if (superseded_.size() <= kMaxSuperseded) return;
    const std::uint32_t oldest = superseded_.front();
    superseded_.pop_front();
    const bool in_force = std::any_of(processes_.begin(), processes_.end(), [&](const auto& entry) {
        return entry.second.generation == oldest;  // a forked child's
    });
    if (!in_force) by_generation_.erase(oldest);
}

void SymbolThread::note_problem(const std::string& problem) {
    if (std::find(problems_.begin(), problems_.end(), problem) != problems_.end()) return;
    if (problems_.size() < kMaxProblems)
        problems_.push_back(problem);
    else
        ++more_problems_;
}

std::vector<std::string> SymbolThread::problems() const {
    std::vector<std::string> all = problems_;
    if (more_problems_ != 0) all.push_back(std::to_string(more_problems_) + " more such modules");
    return all;
}

void SymbolThread::look_at_mappings(Process& process) {
    process.looked_ns = monotonic_ns();
    const auto maps = read_maps(process.pid);
    // After the process's end the last snapshot stays the newest.
    if (!maps || maps->empty()) return;
    const auto update = unwinding_.update(process.pid, *maps);
    if (!update) {
        note_problem(update.error().message);
        return;
    }
    for (const std::string& problem : update->problems) note_problem(problem);
    choose_symbolizer(process, *update);
    if (process.borrowed) return;
    const symbols::SymbolizerCounters& counters = process.symbolizer->counters();
    const std::uint64_t failed = counters.modules_failed, dropped = counters.mappings_dropped;
    process.symbolizer->add_mappings(process.generation, *maps);
    // Files of one that ended meanwhile cannot be opened, and that says nothing of them.
    if (counters.modules_failed + counters.mappings_dropped == failed + dropped) return;
    if (const auto now = read_maps(process.pid); !now || now->empty()) return;
    modules_failed_ += counters.modules_failed - failed;
    mappings_dropped_ += counters.mappings_dropped - dropped;
}

/// The symbolizer that knows the address space of a stack, or null: its process ended, or began,
/// before anybody could look. `generation` is the one to look its addresses up by.
std::shared_ptr<symbols::Symbolizer> SymbolThread::symbolizer_of(const RawStack& stack,
                                                                 std::uint32_t& generation) {
    const wire::stack_record& record = stack.record;
    generation = record.generation;
    const auto known = by_generation_.find(generation);
    auto symbolizer = known != by_generation_.end() ? known->second.lock() : nullptr;
    const auto found = processes_.find(static_cast<decode::ProcessNumber>(record.process));
    if (found == processes_.end()) return symbolizer;
    Process& process = found->second;
    if (generation != 0 && symbolizer != process.symbolizer) return symbolizer;
    // Code that was mapped a moment ago, or made executable by a JIT compiler, is known by the
    // snapshot that comes after.
    const bool fresh = (record.flags & UNWIND_UNKNOWN_MAPPING) != 0;
    if (fresh && monotonic_ns() - process.looked_ns >= kLookAgainNs) look_at_mappings(process);
    if (fresh || generation == 0) generation = process.generation;
    return process.symbolizer;
}

SymbolizedStack SymbolThread::symbolize(const RawStack& stack) {
    const wire::stack_record& record = stack.record;
    std::uint32_t generation = 0;
    const auto symbolizer = symbolizer_of(stack, generation);
    SymbolizedStack out{.id = stack.id,
                        .flags = record.flags & (ledger::kStackTruncated | ledger::kStackHeuristic),
                        .frames = {}};
    for (std::uint32_t i = 0; i < record.depth && i < wire::STACK_MAX_DEPTH; ++i) {
        if (record.pcs[i] == 0) continue;
        if (out.frames.size() >= kMaxFrames) {
            out.flags |= ledger::kStackTruncated;
            break;
        }
        if (!symbolizer) {
            ledger::Frame& frame = out.frames.emplace_back();
            frame.module = symbols::kUnknownModule;
            frame.module_offset = record.pcs[i];
            continue;
        }
        for (const auto& frame : symbolizer->lookup(generation, record.pcs[i], i > 0)) {
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
