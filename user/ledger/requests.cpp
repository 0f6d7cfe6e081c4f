// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/requests.h"

#include <algorithm>

namespace asrtrace::ledger {

void Cohort::add(BlockName name, LiveBlocks& live) {
    if (blocks.size() >= compact_at) {
        std::erase_if(blocks, [&](const BlockName& old) { return live.find(old) == nullptr; });
        compact_at = std::max<std::size_t>(4096, 2 * blocks.size());
    }
    blocks.push_back(name);
}

std::optional<ActiveRequest> Requests::begin(decode::ProcessNumber process, std::uint32_t tid,
                                             std::uint64_t time_ns,
                                             const decode::RequestMark& mark) {
    std::optional<ActiveRequest> abandoned;
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        if (auto old = active_.extract(own->second)) abandoned = std::move(old.mapped());
        ++unknown_;
    }
    const RequestId id{next_++};
    ActiveRequest request;
    request.record.id = id;
    request.record.begin_ns = time_ns;
    request.record.tid = tid;
    request.record.external_id = mark.id;
    request.record.args = mark.args;
    request.process = process;
    active_.emplace(id, std::move(request));
    by_thread_[tid] = id;
    return abandoned;
}

/// An interval (thread 0) is every process's.
Requests::Active::iterator Requests::only_one(decode::ProcessNumber process) {
    auto found = active_.end();
    for (auto entry = active_.begin(); entry != active_.end(); ++entry) {
        if (entry->second.process != process && entry->second.record.tid != 0) continue;
        if (found != active_.end()) return active_.end();
        found = entry;
    }
    return found;
}

Requests::Active::iterator Requests::find(decode::ProcessNumber process, std::uint32_t tid,
                                          const decode::RequestMark& mark) {
    if (mark.id != 0) {
        // The server's own number wins: another thread may finish what this one began.
        auto entry = std::find_if(active_.begin(), active_.end(), [&](const auto& active) {
            return active.second.process == process && active.second.record.external_id == mark.id;
        });
        if (entry != active_.end()) return entry;
    }
    if (const auto own = by_thread_.find(tid); own != by_thread_.end()) {
        return active_.find(own->second);
    }
    return only_one(process);
}

std::optional<ActiveRequest> Requests::end(decode::ProcessNumber process, std::uint32_t tid,
                                           std::uint64_t time_ns, const decode::RequestMark& mark) {
    const auto entry = find(process, tid, mark);
    if (entry == active_.end()) {
        ++unknown_;
        return std::nullopt;
    }
    ActiveRequest request = std::move(entry->second);
    active_.erase(entry);
    if (const auto own = by_thread_.find(request.record.tid);
        own != by_thread_.end() && own->second == request.record.id) {
        by_thread_.erase(own);
    }
    request.record.end_ns = time_ns;
    request.record.status = static_cast<std::int64_t>(mark.args[0]);
    ++completed_;
    return request;
}

ActiveRequest* Requests::of_thread(decode::ProcessNumber process, std::uint32_t tid) {
    if (active_.empty()) return nullptr;
    const auto own = by_thread_.find(tid);
    const auto entry = own != by_thread_.end() && active_.size() > 1 ? active_.find(own->second)
                                                                     : only_one(process);
    return entry == active_.end() ? nullptr : &entry->second;
}

std::vector<ActiveRequest> Requests::abandon(decode::ProcessNumber process) {
    std::vector<ActiveRequest> abandoned;
    for (auto entry = active_.begin(); entry != active_.end();) {
        const std::uint32_t tid = entry->second.record.tid;
        if (entry->second.process != process || tid == 0) {
            ++entry;
            continue;
        }
        by_thread_.erase(tid);
        abandoned.push_back(std::move(entry->second));
        entry = active_.erase(entry);
        ++unknown_;
    }
    return abandoned;
}

}  // namespace asrtrace::ledger
