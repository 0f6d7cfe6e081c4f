// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/ledger.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace asrtrace::ledger {
namespace {

/// The thread under which intervals run as requests.
constexpr std::uint32_t kIntervalThread = 0;

/// Different values of a covariate that are told apart; more than that is no key of a cache.
constexpr std::size_t kMaxArgsSeen = 1 << 17;

constexpr auto kRaised = static_cast<double>(decode::kRaisedSampleBytes);

/// Probability that a block of `bytes` is sampled at this mean (bpf/sample.bpf.h).
double sampling_probability(std::uint64_t bytes, std::uint64_t mean_bytes) {
    return -std::expm1(-static_cast<double>(std::max<std::uint64_t>(bytes, 1)) /
                       static_cast<double>(mean_bytes));
}

}  // namespace

Ledger::Ledger(const LedgerConfig& config)
    : config_(config),
      window_opened_ns_(config.start_ns),
      epoch_begin_ns_(config.start_ns),
      interval_end_ns_(config.start_ns + config.interval_ns),
      now_ns_(config.start_ns) {
    if (config_.interval_ns != 0) requests_.begin(0, kIntervalThread, config_.start_ns, {});
}

std::uint64_t Ledger::since_start(std::uint64_t time_ns) const {
    return time_ns > config_.start_ns ? time_ns - config_.start_ns : 0;
}

StackId Ledger::stack_id(decode::StackKey key) {
    if (key == 0) return kUnknownStack;
    const StackId next{static_cast<std::uint32_t>(stack_ids_.size() + 1)};
    const auto [entry, inserted] = stack_ids_.insert({key, next});
    if (inserted) output_.stacks.push_back(key);
    return entry->second;
}

std::uint64_t Ledger::here(std::uint64_t address) const {
    return address ^ std::uint64_t{process_} << kProcessShift;
}

double Ledger::probability(const Block& block) const {
    switch (block.sampling) {
        case decode::Sampling::kAll:
            break;
        case decode::Sampling::kByMean:
            return sampling_probability(block.size, config_.sample_mean_bytes);
        case decode::Sampling::kRaised:
            return std::clamp(static_cast<double>(block.size), 1.0, kRaised) / kRaised;
    }
    return 1.0;
}

Amount Ledger::weighed(const Block& block) const {
    const double weight = 1.0 / probability(block);
    return {static_cast<double>(block.size) * weight, weight};
}

Ledger::Charged Ledger::charge(std::uint32_t tid, std::uint64_t allocated_bytes) {
    ActiveRequest* request = requests_.of_thread(process_, tid);
    if (request == nullptr) {
        ++unattributed_;
        return {orphans_};
    }
    ++attributed_;
    ++request->record.events;
    request->record.allocated_bytes += allocated_bytes;
    return {request->cohort, request->path, true};
}

void Ledger::let_go(const Block& block) {
    const Amount amount = weighed(block);
    sites_.free(block.site, amount, block.fate, block.held);
    if (windowed_) return;
    if (block.fate.outlived) paths_.let_go(block.site, block.path, amount);
    if (block.of_request) lifetimes_.free(amount, block.fate.outlived, ended_since(block));
}

void Ledger::take_back(const Block& block) {
    const Amount amount = weighed(block);
    sites_.restore(block.site, amount, block.fate, block.held);
    if (windowed_) return;
    if (block.fate.outlived) paths_.hold(block.site, block.path, amount);
    if (block.of_request) lifetimes_.restore(amount, block.fate.outlived, ended_since(block));
}

std::uint64_t Ledger::ended_since(const Block& block) const {
    return requests_.completed() - block.outlived_at;
}

std::uint64_t Ledger::outlive(const Cohort& cohort) {
    double bytes = 0;
    for (const BlockName& name : cohort.blocks) {
        Block* block = live_.find(name);
        if (block == nullptr) continue;
        block->fate.outlived = true;
        block->outlived_at = static_cast<std::uint32_t>(requests_.completed());
        const Amount amount = weighed(*block);
        if (block->held) sites_.outlive(block->site, amount, block->fate);
        if (!windowed_) {
            paths_.hold(block->site, block->path, amount);
            if (block->of_request) lifetimes_.outlive(amount);
        }
        bytes += amount.bytes;
    }
    for (const MappingName& name : cohort.mappings) {
        mappings_.each_piece(name, [&](Region& piece) {
            piece.fate.outlived = true;
            sites_.outlive(piece.site, {static_cast<double>(piece.bytes()), 1.0}, piece.fate);
        });
    }
    return static_cast<std::uint64_t>(std::llround(bytes));
}

void Ledger::finish_request(ActiveRequest request) {
    request.record.outlived_bytes = outlive(request.cohort);
    // What it allocated while nobody looked is not known.
    if (windowed_ && (!window_open_ || request.record.begin_ns < window_opened_ns_))
        request.record.allocated_bytes = request.record.outlived_bytes = 0;
    request.record.begin_ns = since_start(request.record.begin_ns);
    request.record.end_ns = since_start(request.record.end_ns);
    note_args(request.record);
    output_.requests.push_back(request.record);
}

void Ledger::note_args(const Request& request) {
    for (std::size_t i = 0; i < args_seen_.size(); ++i)
        if (args_seen_[i].size() < kMaxArgsSeen) args_seen_[i].insert(request.args[i]);
}

StackId Ledger::stack_of(std::uint64_t address) {
    if (const Block* block = live_.at(address)) return sites_.stack(block->site);
    const auto witness = witnesses_.find(address);
    return witness == witnesses_.end() ? kUnknownStack : sites_.stack(witness->second.site);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Ledger::outlived_blocks() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks;
    if (windowed_) return blocks;  // others may have their addresses by now
    live_.each([&](std::uint64_t address, const Block& block) {
        if (block.fate.outlived && !block.fate.followed) blocks.emplace_back(address, block.size);
    });
    return blocks;
}

void Ledger::find_again(const Marking& marking) {
    for (const std::uint64_t address : marking.found) {
        Block* block = live_.at(address);
        if (block == nullptr || !block->fate.unreachable || block->serial > marking.serial)
            continue;
        block->fate.unreachable = false;
        sites_.find(block->site, weighed(*block));
    }
}

void Ledger::lose(const LostBlock& lost, Marking& marking) {
    Block* block = live_.at(lost.address);
    if (block == nullptr) {
        marking.unmatched.add(lost);
        return;
    }
    // A younger block than the reading took the address of the one that it saw.
    if (block->serial > marking.serial || !block->fate.outlived || block->fate.unreachable) return;
    block->fate.unreachable = true;
    sites_.lose(block->site, weighed(*block));
}

bool Ledger::book(Marking& marking, std::size_t most) {
    if (windowed_) {
        book_by_class(marking);
        return true;
    }
    if (marking.booked == 0) find_again(marking);
    const std::size_t end = marking.booked + std::min(most, marking.lost.size() - marking.booked);
    for (; marking.booked < end; ++marking.booked) lose(marking.lost[marking.booked], marking);
    if (end < marking.lost.size()) return false;
    apportioner_.set_lost(marking.classes(), {});
    return true;
}

void Ledger::close_epoch(std::uint64_t now_ns) {
    outlive(old_orphans_);
    old_orphans_ = std::exchange(orphans_, {});
    EpochRecord record;
    record.epoch = {since_start(now_ns),
                    requests_.completed(),
                    requests_.in_flight(),
                    {args_seen_[0].size(), args_seen_[1].size()}};
    if (windowed_) apply_estimates();
    record.sites = sites_.close_epoch();
    output_.epochs.push_back(std::move(record));
    epoch_begin_ns_ = now_ns;
    epoch_requests_ = requests_.completed();
}

void Ledger::advance_interval(std::uint64_t now_ns) {
    while (config_.interval_ns != 0 && now_ns >= interval_end_ns_) {
        if (auto request = requests_.end(0, kIntervalThread, interval_end_ns_, {})) {
            finish_request(std::move(*request));
        }
        requests_.begin(0, kIntervalThread, interval_end_ns_, {});
        interval_end_ns_ += config_.interval_ns;
    }
}

void Ledger::advance(std::uint64_t now_ns) {
    now_ns_ = std::max(now_ns_, now_ns);
    advance_interval(now_ns_);
    if (window_open_) mark_age(now_ns_);
    const std::uint64_t length = now_ns_ - epoch_begin_ns_;
    const bool requests_ended = requests_.completed() > epoch_requests_;
    if ((requests_ended && length >= config_.epoch_ns) || length >= config_.idle_epoch_ns) {
        close_epoch(now_ns_);
    }
}

void Ledger::tick(std::uint64_t now_ns) {
    advance(now_ns);
}

void Ledger::apply(const decode::Event& event) {
    advance(event.time_ns);
    process_ = event.process;
    std::visit([&](const auto& payload) { on(event, payload); }, event.payload);
}

void Ledger::finish(std::uint64_t now_ns) {
    now_ns_ = std::max(now_ns_, now_ns);
    advance_interval(now_ns_);
    if (windowed_ && window_open_) close_window(now_ns_);
    restore_reallocs();
    std::vector<std::uint32_t> threads;
    for (const auto& [tid, pending] : pending_unmaps_) threads.push_back(tid);
    for (const std::uint32_t tid : threads) restore_unmap(tid);
    close_epoch(now_ns_);
}

LedgerOutput Ledger::take_output() {
    return std::exchange(output_, {});
}

/// All totals T that are not too far from the estimate e for the variance that they would have:
/// (e - T)^2 <= z^2 v T / e. A low estimate comes with a low estimate of its variance; an interval
/// of e +- z sqrt(v) then misses the truth above it too often (Wilson's argument for proportions).
Interval Ledger::score_interval() const {
    constexpr double kNormal975 = 1.959963984540054;
    if (sampled_bytes_ <= 0) return {0, 0};
    const double k = kNormal975 * kNormal975 * sampled_variance_ / sampled_bytes_;
    const double middle = sampled_bytes_ + k / 2;
    const double margin = std::sqrt(k * sampled_bytes_ + k * k / 4);
    return {middle - margin, middle + margin};
}

void Ledger::add_counts(Counts& counts) const {
    counts.allocated_bytes += counts_.allocated_bytes;
    counts.allocated_blocks += counts_.allocated_blocks;
    counts.freed_bytes += counts_.freed_bytes;
    counts.freed_blocks += counts_.freed_blocks;
    counts.freed_unknown_blocks += counts_.freed_unknown_blocks;
    counts.ended_blocks += counts_.ended_blocks;
    counts.ended_bytes += counts_.ended_bytes;
    counts.failed_allocations += counts_.failed_allocations;
    counts.mapped_bytes += counts_.mapped_bytes;
    counts.unmapped_bytes += counts_.unmapped_bytes;
    counts.brk_grown_bytes += counts_.brk_grown_bytes;
    counts.brk_shrunk_bytes += counts_.brk_shrunk_bytes;
    for (const auto& [name, calls] : counts_.calls) counts.calls[name] += calls;
    if (config_.sample_mean_bytes != 0) {
        counts.allocated_bytes_estimate = Estimate{sampled_bytes_, score_interval()};
    }
}

// --- the allocator plane

void Ledger::free_block(const Block& block) {
    let_go(block);
    ++counts_.freed_blocks;
    counts_.freed_bytes += block.size;
}

void Ledger::add_block(std::uint32_t tid, std::uint64_t address, std::uint64_t size,
                       decode::StackKey stack, decode::Sampling sampling) {
    const Charged charged = charge(tid, size);
    Block block{.size = size,
                .serial = ++serial_,
                .site = sites_.at(SiteKind::kHeap, stack_id(stack)),
                .path = charged.path,
                .of_request = charged.to_request,
                .sampling = sampling,
                .held = !windowed_,
                .fate = {.followed = process_ != 0}};
    if (const auto old = live_.insert(address, block)) {
        ++missed_frees_;
        let_go(*old);
    }
    end_witness(address);
    const Amount amount = weighed(block);
    sites_.allocate(block.site, amount, block.held);
    ++counts_.allocated_blocks;
    counts_.allocated_bytes += size;
    if (sampling != decode::Sampling::kAll) {
        // Horvitz-Thompson: the variance of sum(x/p) over Poisson samples is estimated by
        // sum(x^2 (1-p) / p^2).
        const double p = probability(block);
        sampled_bytes_ += amount.bytes;
        sampled_variance_ += amount.bytes * amount.bytes * (1 - p);
    }
    charged.cohort.add({address, block.serial}, live_);
}

void Ledger::on(const decode::Event& event, const decode::Alloc& alloc) {
    if (!window_open_) return;
    if (alloc.address == 0) {
        charge(event.tid, 0);
        ++counts_.failed_allocations;
        return;
    }
    add_block(event.tid, here(alloc.address), alloc.size, alloc.stack, alloc.sampling);
}

void Ledger::on(const decode::Event& event, const decode::Free& free) {
    if (!window_open_) return;
    charge(event.tid, 0);
    end_witness(here(free.address));
    if (const auto block = live_.take(here(free.address))) {
        free_block(*block);
    } else {
        ++counts_.freed_unknown_blocks;
    }
}

void Ledger::on(const decode::Event& event, const decode::ReallocBegin& begin) {
    if (!window_open_) return;
    restore_realloc(event.tid);
    end_witness(here(begin.old_address));
    if (const auto block = live_.take(here(begin.old_address))) {
        let_go(*block);
        pending_reallocs_.insert({event.tid, {here(begin.old_address), *block}});
    }
}

void Ledger::on(const decode::Event& event, const decode::ReallocEnd& end) {
    if (!window_open_) return;
    const auto pending = pending_reallocs_.find(event.tid);
    if (end.failed) {
        restore_realloc(event.tid);
        charge(event.tid, 0);
        ++counts_.failed_allocations;
        return;
    }
    if (pending != pending_reallocs_.end()) {
        ++counts_.freed_blocks;
        counts_.freed_bytes += pending->second.block.size;
        pending_reallocs_.erase(pending);
    } else if (end.old_address != 0) {
        ++counts_.freed_unknown_blocks;
    }
    if (end.address != 0) {
        add_block(event.tid, here(end.address), end.size, end.stack, end.sampling);
    } else {
        charge(event.tid, 0);
    }
}

void Ledger::restore_realloc(std::uint32_t tid) {
    const auto pending = pending_reallocs_.find(tid);
    if (pending == pending_reallocs_.end()) return;
    const PendingBlock old = pending->second;
    pending_reallocs_.erase(pending);
    if (live_.at(old.address) != nullptr) {
        ++missed_frees_;  // it did move: another block has its address
        return;
    }
    live_.insert(old.address, old.block);
    take_back(old.block);
}

void Ledger::restore_reallocs() {
    std::vector<std::uint32_t> threads;
    for (const auto& [tid, pending] : pending_reallocs_) threads.push_back(tid);
    for (const std::uint32_t tid : threads) restore_realloc(tid);
}

void Ledger::restore_unmap(std::uint32_t tid) {
    const auto pending = pending_unmaps_.find(tid);
    if (pending == pending_unmaps_.end()) return;
    for (const Region& piece : pending->second) {
        mappings_.insert(piece);
        if (!piece.tracked) continue;
        sites_.restore(piece.site, {static_cast<double>(piece.bytes()), 1.0}, piece.fate);
    }
    pending_unmaps_.erase(pending);
}

// --- tasks and requests

void Ledger::on(const decode::Event& event, const decode::Fault& fault) {
    charge(event.tid, 0);
    const std::uint64_t bytes = fault.pages * kPageBytes;
    const double weight =
        1.0 / sampling_probability(bytes, config_.fault_mean_bytes << fault.mean_shift);
    sites_.allocate(sites_.at(SiteKind::kFault, stack_id(fault.stack)),
                    {static_cast<double>(bytes) * weight, fault.pages * weight});
}

void Ledger::on(const decode::Event& event, const decode::RequestMark& mark) {
    if (!mark.done) {
        if (auto abandoned = requests_.begin(process_, event.tid, event.time_ns, mark))
            orphans_.add(abandoned->cohort, live_, mappings_);
    } else if (auto request = requests_.end(process_, event.tid, event.time_ns, mark)) {
        finish_request(std::move(*request));
    }
}

void Ledger::on(const decode::Event&, const decode::NewStack& stack) {
    stack_id(stack.stack);
}

void Ledger::on(const decode::Event& event, const decode::HttpMark& mark) {
    using Kind = decode::HttpMark::Kind;
    if (mark.kind == Kind::kBegin) {
        ActiveRequest& request = requests_.begin_http(process_, event.tid, mark);
        request.excluded = excludes(mark.path);
        request.path = paths_.at(mark.path);
        request.record.args[1] = request.path;
    } else if (mark.kind == Kind::kMoved) {
        requests_.move_http(event.tid, mark.id);
    } else if (auto request = requests_.end_http(event.time_ns, mark)) {
        end_http(std::move(*request), mark.outcome == decode::HttpMark::Outcome::kServed);
    }
}

void Ledger::end_http(ActiveRequest request, bool served) {
    if (served && !request.excluded) {
        paths_.end(request.path, request.record, true);
        return finish_request(std::move(request));
    }
    if (!request.excluded) paths_.end(request.path, request.record, false);
    outlive(request.cohort);
}

bool Ledger::excludes(std::string_view path) const {
    return config_.path_exclude &&
           std::regex_search(path.begin(), path.end(), *config_.path_exclude);
}

std::vector<SitePath> Ledger::site_paths() const {
    return paths_.site_paths([this](SiteIndex site) { return sites_.stack(site); });
}

void Ledger::on(const decode::Event& event, const decode::Task& task) {
    if (task.kind == decode::Task::Kind::kExit) {
        restore_realloc(event.tid);
        restore_unmap(event.tid);
        for (const ActiveRequest& request : requests_.end_thread(event.tid))
            orphans_.add(request.cohort, live_, mappings_);
    }
    if (task.kind == decode::Task::Kind::kFork && task.child != 0) alive_.insert(task.child);
    if (task.kind == decode::Task::Kind::kExec) {
        if (config_.follow) {
            end_process(process_);
        } else {
            mappings_.clear();
            unmap_debts_.clear();
        }
    }
    if (!task.process_ended) return;
    alive_.erase(process_);
    // What the last process held at its end is what the report is about. Of one whose birth was
    // lost only the end is told.
    if (!alive_.empty()) end_process(process_);
}

void Ledger::end_process(decode::ProcessNumber process) {
    for (const Block& block : live_.take_range(std::uint64_t{process} << kProcessShift,
                                               (std::uint64_t{process} + 1) << kProcessShift)) {
        let_go(block);
        ++counts_.ended_blocks;
        counts_.ended_bytes += block.size;
    }
    remove_range(std::uint64_t{process} << kProcessShift, (std::uint64_t{process} + 1)
                                                              << kProcessShift);
    for (const ActiveRequest& request : requests_.abandon(process))
        orphans_.add(request.cohort, live_, mappings_);
}

}  // namespace asrtrace::ledger
