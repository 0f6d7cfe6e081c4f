// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/writer.h"

#include <unistd.h>

#include <utility>

#include "user/base/output_file.h"
#include "user/trace/load.h"
#include "user/trace/trace_file.h"
#include "user/trace/writer_state.h"

namespace asrtrace::trace {

Result<Writer> Writer::create(const std::string& path, Limits limits) {
    auto resolved = resolve_directory(path);
    if (!resolved) return resolved.error();
    if (auto status = remove_old_trace(*resolved); !status) return status.error();
    auto file = create_exclusively(*resolved);
    if (!file) return file.error();
    const auto identity = file_identity(file->get());
    // Closed before SQLite opens it: closing it later would drop SQLite's locks (POSIX).
    file->reset();
    try {
        auto state =
            std::make_unique<State>(Database::open_for_writing(*resolved), limits, *resolved);
        if (file_identity(*resolved) != identity)
            return Error{path + ": was replaced by somebody while it was created"};
        state->set_up();
        return Writer(std::move(state));
    } catch (const SqlError& error) {
        ::unlink(resolved->c_str());
        return Error{path + ": cannot write a trace: " + error.what()};
    }
}

Result<Writer> Writer::in_memory(Limits limits) {
    try {
        auto state = std::make_unique<State>(Database::in_memory(), limits, "");
        state->set_up();
        return Writer(std::move(state));
    } catch (const SqlError& error) {
        return Error{std::string("trace in memory: ") + error.what()};
    }
}

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Status Writer::keep_raw_events(std::uint64_t max_bytes, std::uint64_t start_ns) {
    return state_->keep_raw_events(max_bytes, start_ns);
}

void Writer::set_tool_version(std::string version) {
    state_->head.tool_version = std::move(version);
}

void Writer::set_target(ledger::Target target) {
    state_->head.target = std::move(target);
}

void Writer::set_request_source(ledger::RequestSource source, std::string spec) {
    state_->head.request_source = source;
    state_->head.request_spec = std::move(spec);
}

void Writer::set_window(ledger::Window window) {
    state_->head.window = std::move(window);
}

void Writer::set_requests_completed(std::uint64_t completed) {
    state_->head.requests_completed = completed;
}

void Writer::set_http(const ledger::HttpSeen& seen) {
    state_->head.http = seen;
}

void Writer::set_paths(std::vector<ledger::PathTotals> paths,
                       std::vector<ledger::SitePath> site_paths) {
    state_->head.paths = std::move(paths);
    state_->head.site_paths = std::move(site_paths);
}

void Writer::set_lifetimes(const ledger::Lifetimes& lifetimes) {
    state_->head.lifetimes = lifetimes;
}

void Writer::set_attribution(std::uint64_t attributed_events, std::uint64_t unattributed_events) {
    state_->head.events_attributed = attributed_events;
    state_->head.events_unattributed = unattributed_events;
}

void Writer::set_counts(ledger::Counts counts) {
    state_->head.counts = std::move(counts);
}

void Writer::set_losses(ledger::Losses losses) {
    state_->head.losses = std::move(losses);
}

void Writer::set_overhead(ledger::Overhead overhead) {
    state_->head.overhead = std::move(overhead);
}

void Writer::set_notes(std::vector<std::string> notes) {
    state_->head.notes = std::move(notes);
}

FrameId Writer::add_frame(const ledger::Frame& frame) {
    return state_->add_frame(frame);
}

void Writer::add_stack(const ledger::Stack& stack) {
    state_->add_stack(stack);
}

void Writer::add_stack(StackId id, std::uint32_t flags, const std::vector<ledger::Frame>& frames) {
    ledger::Stack stack{id, flags, {}};
    for (const auto& frame : frames) stack.frames.push_back(add_frame(frame));
    add_stack(stack);
}

void Writer::add_raw_event(Bytes record) {
    if (state_->raw) state_->raw->add(record);
}

void Writer::add_raw_stack(StackId stack, std::uint64_t key) {
    if (state_->raw) state_->queue.raw_stacks.push_back({stack.value, key});
}

void Writer::add_request(const ledger::Request& request) {
    state_->queue.requests.push_back(request);
}

void Writer::add_epoch(ledger::EpochRecord record) {
    state_->queue.epochs.push_back(std::move(record));
}

void Writer::add_reading(const ledger::Reading& reading, std::vector<ledger::Arena> arenas) {
    state_->queue.readings.push_back(reading);
    state_->queue.arenas = std::move(arenas);
}

void Writer::add_reach(const ledger::ReachReading& reach) {
    state_->queue.reach.push_back(reach);
}

void Writer::add_sample(const ledger::ProcSample& sample) {
    state_->queue.samples.push_back(sample);
    if (!sample.around) return;
    state_->queue.surroundings.push_back(*sample.around);
    state_->queue.surroundings.back().t_ns = sample.t_ns;
}

Status Writer::commit() {
    return state_->commit(false);
}

Status Writer::finish() {
    return state_->finish();
}

Result<ledger::Recording> Writer::read() {
    return state_->read();
}

}  // namespace asrtrace::trace
